"""Phonemes in many languages against what the command `espeak-ng -q -b 1 --ipa=1 -v LANGUAGE -f FILE` (1.52.0) printed."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import espeakng_loader
import pytest

from models.speech import espeak

# Language, text, and the recorded lines of the command, joined the way Coqui joins them.
RECORDED = [
    ("en-us", "The quick brown fox jumps over the lazy dog", "ð_ə k_w_ˈɪ_k b_ɹ_ˈaʊ_n f_ˈɑː_k_s dʒ_ˈʌ_m_p_s ˌoʊ_v_ɚ ð_ə l_ˈeɪ_z_i d_ˈɑː_ɡ"),
    (
        "en-us",
        "It's three o'clock and I don't know (really) what to say",
        "ɪ_t_s θ_ɹ_ˈiː_ ə_k_l_ˈɑː_k__ æ_n_d aɪ d_ˈoʊ_n_t n_ˈoʊ__ ɹ_ˈiə_l_i__ w_ʌ_t t_ə s_ˈeɪ",
    ),
    (
        "en-us",
        "Chapter 12 costs 1250 dollars",
        "tʃ_ˈæ_p_t_ɚ t_w_ˈɛ_l_v k_ˈɔ_s_t_s w_ˈʌ_n θ_ˈaʊ_z_ə_n_d t_ˈuː_h_ˈʌ_n_d_ɹ_ɪ_d f_ˈɪ_f_t_i d_ˈɑː_l_ɚ_z",
    ),
    ("en-gb", "The water bottle is better", "ð_ə w_ˈɔː_t_ə b_ˈɒ_t_əl ɪ_z b_ˈɛ_t_ə"),
    ("de", "Ich möchte ein Stück Kuchen mit Sahne", "_ɪ_ç m_ˈœ_ç_t_ə _aɪ_n ʃ_t_ˈʏ_k k_ˈuː_x_ə_n__ m_ɪ_t z_ˈɑː_n_ə"),
    ("de", "Das Meeting im Download Center", "d_a_s m_ˈeː_t_ɪ_ŋ_ _ɪ_m _d_ˈaʊ_n_l_əʊ_d_ s_ˈɛ_n_t_ɜ"),
    (
        "fr-fr",
        "Certains mots comme football et parking restent anglais",
        "s_ɛ_ʁ_t_ˈɛ̃ m_ˈo k_ɔ_m _f_ˈʊ_t_b_ɔː_l_ e _p_ˈɑː_k_ɪ_ŋ_ ʁ_ˈɛ_s_t_t ɑ̃_ɡ_l_ˈɛ",
    ),
    ("es", "El niño come una manzana roja", "e_l n_ˈi_ɲ_o k_ˈo_m_e ˈu_n_a m_a_n_θ_ˈa_n_a r_ˈo_x_a"),
    ("it", "La ragazza legge un libro interessante", "l_a_ _r_a_ɡ_ˈa_tsː_a l_ˈe_dʒː_e_ ʊ_n l_ˈi_b__r_o_ i_n_t_e_r_e_ss_ˈa_n_t_e"),
    ("pt-br", "Olá tudo bem com você", "o_l_ˈa t_ˈu_d_ʊ b_ˈeɪ_ŋ k_o_ŋ v_o_s_ˈe"),
    ("nl", "De kat zit op de mat", "d_ə k_ˈɑ_t z_ˈɪ_t_ _ɔ_p d_ə m_ˈɑ_t"),
    ("pl", "Dzień dobry jak się masz", "dʑ_ˈɛ_ɲ d_ˈɔ_b_r_ɨ j_ˈa_k ɕ_ɛ m_ˈa_ʃ"),
    ("ru", "Привет как дела", "p__rʲ_i_vʲ_ˈe_t k_ˈɑ_k dʲ_ˈe_ɭ_a"),
    ("uk", "Доброго ранку друзі", "d_o_b_r_ˈo_h_o r_ˈa_n_k_u d_r_ˈu_z_iː"),
    ("tr", "Bu Türkçe bir örnektir", "b_ʊ t_ˈø_r_k_tʃ_ɛ b_ɪ_r œ_r_n_ˈɛ_k_t_ɪ_r"),
    ("cs", "Dobrý den jak se máte", "d_ˈo_b_r_iː d_ˈe_n j_ˈa_k s_e m_ˈaː_t_e"),
    ("sv", "Hur mår du idag", "h_ˈʉ_r m_ˈoː_r d_ʉ ˈɪ_d_ˌɑː_ɡ"),
    ("fi", "Hyvää huomenta kaikille", "h_ˈy_v_æː h_ˈuo_m_e_n_t_a k_ˈai_k_ɪ_l_l_e"),
    ("el", "Καλημέρα κόσμε", "k_ˌa_l_i_m_ˈe_r_a k_ˈo_s_m_e"),
    ("hi", "नमस्ते दुनिया", "n_ə_m_ˈʌ_s_t_eː d_ˈʊ_n_ɪ_j_ˌaː"),
    ("ar", "مرحبا بالعالم", "m_r_ħ_b_ˈaː b_i_l_ʕ_ˈaː_l_a_m"),
    ("ja", "こんにちは", "k_ˌo̞_n_n_i_tɕ_ˈi_h_ä"),
    ("ko", "안녕하세요 세계", "ˈɐ_n_n_j_ʌ_ŋ_h_ˌɐ_s_e_j_ˌo s_ˈe_q_j_e"),
    ("hu", "Jó reggelt kívánok", "j_ˈoː r_ˈɛ_ɡː_ɛ_l_t k_ˈiː_v_aː_n_o_k"),
    ("fa", "سلام دنیا", "s_a_l_ˈɑ_m d_ˈo_n_j_ɑ"),
    ("yue", "你好世界", "n_ˈei5_ h_ˈou2_ s_ˈaiɜ_ ɡ_ˈaaiɜ_"),
    ("th", "สวัสดีชาวโลก", "s_ˌa5_w_m_s_a2_d_s_c_h_a2_s_w_ˈo2_l_aɜ_k"),
    ("en-us", "Hello (my friend) how are you - fine\nnew line", "h_ə_l_ˈoʊ__ m_aɪ f_ɹ_ˈɛ_n_d__ h_ˌaʊ ɑːɹ j_uː__ f_ˈaɪ_n n_ˈuː l_ˈaɪ_n"),
]


@pytest.mark.parametrize(("language", "text", "recorded"), RECORDED)
def test_it_says_what_the_command_says(language: str, text: str, recorded: str) -> None:
    assert espeak.phonemes(text, language).strip() == recorded.strip()


def test_threads_with_different_languages_do_not_mix() -> None:
    espeak.phonemes.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda row: espeak.phonemes(row[1], row[0]), RECORDED * 20))
    assert [answer.strip() for answer in answers] == [row[2].strip() for row in RECORDED] * 20


def test_a_language_it_does_not_speak_is_refused_and_the_next_text_is_not_spoilt() -> None:
    with pytest.raises(LookupError, match="xx-nowhere"):
        espeak.phonemes("hello", "xx-nowhere")
    assert espeak.phonemes("hello", "en-us") == "h_ə_l_ˈoʊ"


def test_a_nul_in_the_text_does_not_cut_it_off() -> None:
    assert espeak.phonemes("Hello\0world", "en-us") == espeak.phonemes("Hello world", "en-us")


def test_it_knows_its_languages_and_its_version() -> None:
    assert {"en-us", "de", "fr-fr", "pt-br", "hi", "ar"} <= set(espeak.languages())
    assert espeak.version().startswith("1.")


def test_it_finds_its_data_behind_a_long_path_and_makes_no_file(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(espeakng_loader.get_data_path())
    code = (
        "import sys, espeakng_loader; espeakng_loader.get_data_path = lambda: sys.argv[1]\n"
        "from models.speech import espeak; print(espeak.phonemes('hello', 'en-us').encode())"
    )
    command = [sys.executable, "-c", code, str(deep / "espeak-ng-data")]
    made = tmp_path / "made"
    made.mkdir()
    environment = {**os.environ, "TMPDIR": str(made)}
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent, env=environment)
    assert run.stdout.strip() == repr("h_ə_l_ˈoʊ".encode())
    assert not list(made.iterdir())
