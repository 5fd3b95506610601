from rearank_cli.engines.servers import Servers


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_least_loaded_server_is_asked() -> None:
    servers = Servers(["http://a/", "http://b"], Clock())
    with servers.lend() as first, servers.lend() as second, servers.lend() as third:
        assert [first.url, second.url, third.url] == ["http://a", "http://b", "http://a"]
    assert [server.in_flight for server in servers.all] == [0, 0]


def test_a_dead_server_rests_longer_each_time_and_is_tried_again() -> None:
    clock = Clock()
    servers = Servers(["http://a", "http://b"], clock)
    dead, alive = servers.all
    servers.failed(dead)
    with servers.lend() as chosen, servers.lend() as next_one:
        assert [chosen, next_one] == [alive, alive]
    clock.now += 1.1
    with servers.lend() as chosen:
        assert chosen is dead or chosen is alive
    servers.failed(dead)
    assert dead.rests_until == clock.now + 2.0
    servers.answered(dead)
    assert (dead.failures, dead.rests_until) == (0, 0.0)


def test_when_all_rest_the_first_to_wake_is_asked() -> None:
    clock = Clock()
    servers = Servers(["http://a", "http://b"], clock)
    for server in servers.all:
        servers.failed(server)
    servers.failed(servers.all[0])
    with servers.lend() as chosen:
        assert chosen is servers.all[1]


def test_rests_have_a_limit() -> None:
    clock = Clock()
    servers = Servers(["http://a"], clock)
    for _ in range(50):
        servers.failed(servers.all[0])
    assert servers.all[0].rests_until == clock.now + 60.0
