from rearank_cli.engines.servers import Server, Servers


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(servers: Servers, server: Server, clock: Clock) -> None:
    servers.failed(server, clock.now, f"{server.url}: refused")


def test_the_least_loaded_server_is_asked() -> None:
    servers = Servers(["http://BOX/", "http://b"], Clock())
    with servers.lend() as (first, _), servers.lend() as (second, _), servers.lend() as (third, _):
        assert [first.url, second.url, third.url] == ["http://BOX", "http://b", "http://BOX"]
    assert [server.in_flight for server in servers.all] == [0, 0]


def test_a_dead_server_rests_longer_each_time_and_is_tried_again() -> None:
    clock = Clock()
    servers = Servers(["http://a", "http://b"], clock)
    dead, alive = servers.all
    fail(servers, dead, clock)
    with servers.lend() as (chosen, _), servers.lend() as (next_one, _):
        assert [chosen, next_one] == [alive, alive]
    clock.now += 1.1
    with servers.lend() as (chosen, _), servers.lend() as (next_one, _):
        assert dead in (chosen, next_one)
    fail(servers, dead, clock)
    assert dead.rests_until == clock.now + 2.0
    servers.answered(dead)
    assert (dead.outages, dead.rests_until) == (0, 0.0)


def test_when_all_rest_the_first_to_wake_is_asked() -> None:
    clock = Clock()
    servers = Servers(["http://a", "http://b"], clock)
    fail(servers, servers.all[0], clock)
    clock.now += 0.5
    fail(servers, servers.all[1], clock)
    with servers.lend() as (chosen, _):
        assert chosen is servers.all[0]


def test_rests_have_a_limit_however_long_a_server_is_away() -> None:
    clock = Clock()
    servers = Servers(["http://a"], clock)
    for _ in range(2000):
        clock.now = max(clock.now, servers.all[0].rests_until)
        fail(servers, servers.all[0], clock)
    assert servers.all[0].outages == 2000
    assert servers.all[0].rests_until == clock.now + 60.0


def test_an_outage_counts_once_and_not_once_for_every_request_in_flight() -> None:
    clock = Clock()
    servers = Servers(["http://a"], clock)
    (server,) = servers.all
    sent = [clock.now + number / 1000 for number in range(256)]
    clock.now += 1.0
    for moment in sent:
        servers.failed(server, moment, "http://a: reset")
    assert (server.outages, server.rests_until) == (1, clock.now + 1.0)
    clock.now += 0.5  # still at rest: who asks now meets the same outage
    fail(servers, server, clock)
    assert server.outages == 1
    clock.now += 0.6
    fail(servers, server, clock)
    assert server.outages == 2


def test_one_line_when_a_server_is_given_up_and_one_when_it_is_back() -> None:
    clock, told = Clock(), list[str]()
    servers = Servers(["http://a"], clock, told.append)
    (server,) = servers.all
    fail(servers, server, clock)
    servers.answered(server)
    assert told == []  # a single failure is nothing to talk about
    for outage in range(1, 6):
        fail(servers, server, clock)
        assert server.given_up is (outage > 1)
        clock.now = server.rests_until
    assert told == ["http://a: refused; asked less often until it answers"]
    servers.answered(server)
    servers.answered(server)
    assert told[1:] == ["http://a: answers again"]
    assert server == Server("http://a")  # as if nothing had been
