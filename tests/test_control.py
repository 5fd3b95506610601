"""Control tokens of chat models whose tokenizer is not known, and ordinary text beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.recipes.text import Cleaner

# As the chat templates and vocabularies of public models have them.
CONTROL = {
    "ChatML": ["<|im_start|>", "<|im_end|>", "<|endoftext|>"],
    "Llama 2": ["<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<unk>"],
    "Llama 3": ["<|begin_of_text|>", "<|start_header_id|>", "<|eot_id|>", "<|python_tag|>"],
    "Mistral": [
        *("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
        *("[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CONTENT]", "[ARGS]"),
        *("[CALL_ID]", "[THINK]", "[/THINK]", "[IMG]", "[IMG_BREAK]", "[IMG_END]", "[AUDIO]"),
        *("[BEGIN_AUDIO]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[MODEL_SETTINGS]"),
        *("[/MODEL_SETTINGS]", "[TRANSCRIBE]", "[control_8]", "<SPECIAL_20>"),
    ],
    "Gemma": [
        *("<bos>", "<eos>", "<pad>", "<mask>", "<start_of_turn>", "<end_of_turn>", "<unused0>"),
        *("<start_of_image>", "<end_of_image>", "<image_soft_token>", "<start_function_call>"),
        *("<start_function_response>", "<escape>", "<|turn>", "<turn|>"),
    ],
    "Qwen": [
        *("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>"),
        *("</think>", "<|vision_start|>", "<tools>", "</tools>", "<img>", "</img>"),
    ],
    "EXAONE": ["[|system|]", "[|user|]", "[|assistant|]", "[|endofturn|]", "[|tool|]", "[BOS]"],
    "DeepSeek": ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜tool▁calls▁begin｜>"],
    "GLM": ["[gMASK]", "[sMASK]", "<sop>", "<|user|>", "<arg_key>", "</arg_value>"],
    "Seed": ["<seed:think>", "</seed:think>", "<seed:bos>", "<seed:eos>", "<seed:tool_call>"],
    "MiniMax": ["]~b]", "]~!b[", "[e~[", "<minimax:tool_call>", "</minimax:tool_call>"],
    "Kimi": ["◁think▷", "◁/think▷", "<|tool_calls_section_begin|>"],
    "Nemotron": ["<extra_id_0>", "<extra_id_1>", "<TOOLCALL>", "</TOOLCALL>", "<TOOL_RESPONSE>"],
    "InternLM": ["[UNUSED_TOKEN_145]", "<IMG_CONTEXT>", "<box>", "<ref>", "<quad>", "<eoh>"],
    "MiniCPM": ["<用户>", "<AI>", "<image_id>", "</image_id>"],
    "Baichuan, Ling, TeleChat": ["<reserved_106>", "<role>", "</role>", "<_user>", "<_bot>"],
    "LongCat, Jamba, Phi": ["<longcat_user>", "<|dummy_1|>", "<placeholder35>", "<tool_calls>"],
    "StarCoder, SmolLM": [
        *("<fim_prefix>", "<fim_middle>", "<file_sep>", "<repo_name>", "<reponame>", "<gh_stars>"),
        *("<issue_start>", "<jupyter_code>", "<commit_before>", "<empty_output>"),
    ],
    "SmolVLM, LLaVA": [
        *("<end_of_utterance>", "<fake_token_around_image>", "<row_1_col_1>", "<global-img>"),
        *("<image>", "<video>", "<audio>"),
    ],
    "BERT, T5": ["[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]", "[unused12]", "<extra_id_99>"],
    "others": ["<endoftext>", "<startoftext>", "<eot>", "<eom>", "<eod>", "<cls>", "<sep>"],
}
EVERY = [token for tokens in CONTROL.values() for token in tokens]

ORDINARY = [
    "if a < b and b > c",
    "a<b, c>d",
    "x <= y >= z <> w",
    "1 << 3 >> 2",
    "the so-called [sic] expert",
    "[edit] [citation needed] [Laughter]",
    "[PDF] Annual report [UPDATE] [USA]",
    "[WARNING] disk full [DEBUG] ok [INFO]",
    "He said [the minister] would go",
    "see [Smith 2004] and [Smi04]",
    "matrix[i][j] = a[n-1]",
    "text[start:end] + text[begin:]",
    "buf[MAX_LEN] = rows[ROW_COUNT];",
    "os.environ['HOME']",
    "[x for x in range(10)]",
    "[[1, 2], [3, 4]]",
    "[link](https://example.org/a_b)",
    "[ ] to do [x] done",
    "[a-z]+[A-Z_]*[0-9]",
    "[A] or [B] or [C]",
    "F# [|1; 2; 3|]",
    "<p>One <b>bold</b> <i>word</i></p>",
    "<div class='x'><span>text</span></div>",
    "<h1>Title</h1><br/><hr>",
    "<ul><li>one</li><li>two</li></ul>",
    "<table><tr><td>1</td></tr></table>",
    '<a href="https://example.org">here</a>',
    '<img src="a.png" alt="A">',
    '<video controls src="a.mp4">',
    '<!DOCTYPE html><html lang="en"><head><title>T</title></head><body>',
    "<pre><code>x</code></pre> <em>so</em> <strong>it</strong>",
    "<header><nav>menu</nav></header><main>m</main><footer>f</footer>",
    "<summary>s</summary><details>d</details><output>o</output><data>1</data>",
    "<script>let x = 1;</script><style>p {}</style>",
    "<xsl:template match='/'><xs:element/></xsl:template>",
    "<my-element></my-element>",
    "#include <stdio.h> and <sys/types.h>",
    "std::vector<int> v; map<string, int> m;",
    "List<String> Optional<User> Vec<u8> Array<Image>",
    "vector<uint8_t> set<size_t> shared_ptr<my_type>",
    "template <typename T> class A",
    "GET /users/<user_id>/files/<file_name>",
    "usage: cp <source> <target> [options]",
    "ssh <user>@<host>",
    "<name> <address> <date> <start> <end>",
    "<start_time> to <end_date>",
    "John Doe <john@example.org>",
    "fmap <$> xs <*> ys",
    "|x| < 1 and |y| > 2",
    "ls | grep x > out",
    "I <3 you :> <- ->",
    "«guillemets» ‹single›",
    "H<sub>2</sub>O and x<sup>2</sup>",
    "<lemma> ::= <word> | <rule>",
    "p<.05, n>30",
]


@pytest.mark.parametrize("token", EVERY)
def test_control_tokens_are_broken_where_the_tokenizer_is_unknown(token: str) -> None:
    cleaner = Cleaner(unknown=True)
    for text in (token, f"a {token} b", f"word{token}word", f"<{token}>", f"[{token}]", token * 3):
        assert token not in cleaner.clean(text)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Cleaner(unknown=True).clean(text) == text


def test_the_lists_are_long_enough_to_say_something() -> None:
    assert len(set(EVERY)) >= 60
    assert len(set(ORDINARY)) >= 40


PIECES = st.sampled_from([*EVERY, "<", ">", "[", "]", "|", "/", "_", "a", " ", "image", "TOOL"])


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_heap_of_pieces_leaves_a_control_token(text: str) -> None:
    cleaned = Cleaner(unknown=True).clean(text)
    assert not [token for token in EVERY if token in cleaned]
    assert cleaned.replace(" ", "") == text.replace(" ", "")


@given(st.lists(PIECES, max_size=12).map("".join))
def test_a_known_tokenizer_breaks_only_its_own(text: str) -> None:
    reserved = ["[TOOL_CALLS]", "<image_soft_token>"]
    cleaned = Cleaner(reserved).clean(text)
    assert not [token for token in reserved if token in cleaned]


@pytest.mark.parametrize(
    ("reserved", "text"),
    [(["<<s>>"], "<<s>>"), (["<a<b>c>", "<b>"], "<a<b>c>"), (["[INST][/INST]"], "[INST][/INST]")],
)
def test_a_token_inside_a_token_is_broken_too(reserved: list[str], text: str) -> None:
    cleaned = Cleaner(reserved).clean(text)
    assert not [token for token in (*reserved, "<s>", "[INST]", "[/INST]") if token in cleaned]


def test_long_garbage_is_cleaned_in_time() -> None:
    for piece in ("<", "[", "<a", "[A_", "<a_", "]~", "<s", "<|", "[|a"):
        text = piece * 50_000
        assert Cleaner(unknown=True).clean(text).replace(" ", "") == text
