//! A conversation becomes the tokens and picture rows that the decoder was trained on.

#![allow(clippy::unwrap_used)]

use loupe::error::ErrorKind;
use loupe::text::prompt::{Item, PictureShape, encode, items};
use loupe::text::schema::{Overview, Schema};
use loupe::text::template::{Message, Template};
use loupe::text::tokenizer::{Tokenizer, Vocabulary};

/// Every byte, then the special tokens; no merges.
fn tokenizer(add_bos: bool) -> Tokenizer {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..);
    let (same, moved): (Vec<u8>, Vec<u8>) = (0..=255).partition(printable);
    let mut spelled: Vec<_> = same.into_iter().map(|byte| (byte, char::from(byte))).collect();
    spelled.extend(moved.into_iter().zip('\u{100}'..));
    spelled.sort();
    let mut tokens: Vec<_> = spelled.into_iter().map(|(_, c)| c.to_string()).collect();
    tokens.extend(["<|user|>", "<|assistant|>", "<|end|>"].map(String::from));
    let types = (0..tokens.len()).map(|id| if id < 256 { 1 } else { 3 }).collect();
    let vocabulary = Vocabulary {
        tokens,
        types,
        pre: "gpt-2".into(),
        eos: Some(END),
        bos: Some(END),
        add_bos,
        ..Vocabulary::default()
    };
    Tokenizer::new(vocabulary).unwrap()
}

const USER: u32 = 256;
const ASSISTANT: u32 = 257;
const END: u32 = 258;

const CHAT: &str = "{%- for message in messages -%}
    {%- if message.role == 'user' -%}<|user|>{{ message.content }}<|assistant|>
    {%- elif message.role == 'assistant' -%}{{ message.content }}{{ eos_token }}
    {%- else -%}{{ raise_exception('No ' ~ message.role ~ ' here') }}
    {%- endif -%}
{%- endfor -%}";

/// What a template of LLaVA-UHD's prints for a picture.
const PLACE: &str = "<image>";

fn turn(role: &'static str, pictures: usize, words: &str) -> Message {
    Message { role, pictures, words: words.into() }
}

fn separated() -> Schema {
    Schema::separated(",", "\n", Overview::Last)
}

fn template(source: &str, bos: &str, eos: &str) -> loupe::Result<Template> {
    Template::new(source, bos, eos, &separated())
}

/// Token ids as text, special ones by name, picture rows as (picture.view.row).
fn spell(tokenizer: &Tokenizer, items: &[Item]) -> String {
    let spell = |item: &Item| match *item {
        Item::Token(id) if id >= 256 => tokenizer.spelling(id).unwrap().to_owned(),
        Item::Token(id) => String::from_utf8_lossy(&tokenizer.bytes(id)).into_owned(),
        Item::PictureRow { picture, view, row } => format!("({picture}.{view}.{row})"),
    };
    items.iter().map(spell).collect()
}

#[test]
fn the_spatial_schema() {
    let tokenizer = tokenizer(false);
    let uhd = |column, row, order| Schema::separated(column, row, order);
    let table = [
        (uhd(",", "\n", Overview::Last), (2, 2, 1, 1), "(7.0.0),(7.1.0)\n(7.2.0),(7.3.0)\n(7.4.0)"),
        (uhd(",", "\n", Overview::First), (1, 2, 1, 1), "(7.2.0)(7.0.0)\n(7.1.0)\n"),
        (uhd(",", "\n", Overview::Last), (0, 0, 0, 3), "(7.0.0)(7.0.1)(7.0.2)"),
        (uhd("", "<|end|>", Overview::Last), (3, 1, 1, 1), "(7.0.0)(7.1.0)(7.2.0)<|end|>(7.3.0)"),
        (uhd(",", "\n", Overview::Last), (1, 1, 2, 1), "(7.0.0)(7.0.1)\n(7.1.0)"),
        (Schema::bare(), (0, 0, 0, 2), "(7.0.0)(7.0.1)"),
        (
            Schema::idefics3(),
            (2, 2, 1, 1),
            "<fake_token_around_image><row_1_col_1>(7.0.0)<fake_token_around_image><row_1_col_2>(7.1.0)\n\
             <fake_token_around_image><row_2_col_1>(7.2.0)<fake_token_around_image><row_2_col_2>(7.3.0)\n\n\
             <fake_token_around_image><global-img>(7.4.0)<fake_token_around_image>",
        ),
        (Schema::idefics3(), (0, 0, 0, 1), "<fake_token_around_image><global-img>(7.0.0)<fake_token_around_image>"),
        (
            Schema::minicpm_2_5(),
            (2, 2, 1, 1),
            "<image>(7.4.0)</image><slice><image>(7.0.0)</image><image>(7.1.0)</image>\n\
             <image>(7.2.0)</image><image>(7.3.0)</image></slice>",
        ),
        (Schema::minicpm_2_5(), (0, 0, 0, 1), "<image>(7.0.0)</image>"),
        (
            Schema::minicpm_4_6(),
            (1, 2, 1, 2),
            "<image_id>7</image_id><image>(7.2.0)(7.2.1)</image><slice>(7.0.0)</slice>\n<slice>(7.1.0)</slice>",
        ),
        (Schema::minicpm_2_6(), (0, 0, 0, 1), "<image_id>7</image_id><image>(7.0.0)</image>"),
        (
            Schema::lfm2(),
            (1, 2, 1, 1),
            "<|image_start|><|img_row_1_col_1|>(7.0.0)<|img_row_2_col_1|>(7.1.0)<|img_thumbnail|>(7.2.0)<|image_end|>",
        ),
        (Schema::lfm2(), (0, 0, 0, 1), "<|image_start|>(7.0.0)<|image_end|>"),
    ];
    for (schema, (columns, rows, slice, overview), expected) in table {
        let shape = PictureShape { columns, rows, slice, overview };
        assert_eq!(spell(&tokenizer, &encode(&tokenizer, &schema.picture(7, shape)).unwrap()), expected);
    }
    // 672 × 1008 at 64 rows a view: 6 · 65 + 64.
    let shape = PictureShape { columns: 2, rows: 3, slice: 64, overview: 64 };
    assert_eq!(encode(&tokenizer, &separated().picture(7, shape)).unwrap().len(), 454);
}

#[test]
fn markers_must_be_tokens() {
    let tokenizer = tokenizer(false);
    Schema::separated("<|user|>", "<|end|>", Overview::Last).check(&tokenizer, &[]).unwrap();
    let table = [
        (Schema::separated("<|user|>", "<none>", Overview::Last), "`<none>`"),
        (Schema::lfm2(), "`<|image_end|>`"),
        (
            Schema { picture: separated().picture, overview: separated().picture, ..Schema::lfm2() },
            "`<|img_row_3_col_2|>`",
        ),
    ];
    for (schema, named) in table {
        let error = schema.check(&tokenizer, &[[3, 2]]).unwrap_err();
        assert!(error.kind() == ErrorKind::Model && error.to_string().contains(named), "{error}");
    }
}

#[test]
fn a_conversation_about_two_pictures() {
    let tokenizer = tokenizer(false);
    let schema = separated();
    let template = template(CHAT, "", "<|end|>").unwrap();
    assert_eq!(template.placeholder(), PLACE);
    let said = |words| tokenizer.quote(words, template.placeholder());
    let conversation = [
        turn("user", 2, &said("Which is <|end|> <image>?")),
        turn("assistant", 0, &said("The first")),
        turn("user", 0, &said("Why?")),
    ];
    let text = template.render(&conversation, true).unwrap();
    let uncut = PictureShape { columns: 0, rows: 0, slice: 0, overview: 1 };
    let cut = PictureShape { columns: 2, rows: 1, slice: 1, overview: 1 };
    let prompt = items(&tokenizer, &schema, &text, PLACE, &[uncut, cut]).unwrap();
    assert_eq!(
        spell(&tokenizer, &prompt),
        "<|user|>(0.0.0)(1.0.0),(1.1.0)\n(1.2.0)Which is <|end|> <image>?<|assistant|>The first<|end|><|user|>Why?<|assistant|>"
    );
    // The person's “<|end|>” is letters; only the template's ends a turn.
    assert_eq!(prompt.iter().filter(|&&item| item == Item::Token(END)).count(), 1);
    assert_eq!(prompt.iter().filter(|&&item| item == Item::Token(USER)).count(), 2);
    assert_eq!(prompt.last(), Some(&Item::Token(ASSISTANT)));
    for pictures in [&[uncut][..], &[uncut, cut, cut]] {
        assert_eq!(items(&tokenizer, &schema, &text, PLACE, pictures).unwrap_err().kind(), ErrorKind::Model);
    }
}

#[test]
fn conversations_begin_once() {
    let tokenizer = tokenizer(true);
    let schema = separated();
    let spelled = |text| spell(&tokenizer, &items(&tokenizer, &schema, text, PLACE, &[]).unwrap());
    assert_eq!(spelled("hi"), "<|end|>hi");
    assert_eq!(spelled("<|end|>hi"), "<|end|>hi");
    assert_eq!(spelled(""), "<|end|>");
    let uncut = PictureShape { columns: 0, rows: 0, slice: 0, overview: 1 };
    let prompt = items(&tokenizer, &schema, PLACE, PLACE, &[uncut]).unwrap();
    assert_eq!(spell(&tokenizer, &prompt), "<|end|>(0.0.0)");
}

#[test]
fn templates_in_the_manner_of_published_ones() {
    let chatml = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    let conversation = [turn("user", 0, "Hi")];
    let render = |source: &str, open| template(source, "<s>", "</s>").unwrap().render(&conversation, open).unwrap();
    assert_eq!(
        render(chatml, true),
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
    assert!(!render(chatml, false).ends_with("assistant\n"));
    // Blocks on lines of their own leave no lines behind, as transformers has it.
    assert_eq!(
        render("{{ bos_token }}\n  {% if true %}\n{{ messages[0].content.strip() }}\n  {% endif %}\n", true),
        "<s>\nHi\n"
    );
    assert_eq!(
        render("{{ ' a b '.split()[-1] ~ 'xay'.split('a')[0] ~ ('ab'.startswith('a')) ~ 'ab'.endswith('a') }}", true),
        "bxTrueFalse"
    );
    assert_eq!(render("{{ 'xxaxx'.strip('x') ~ '  a'.lstrip() ~ 'a  '.rstrip() ~ tools }}", true), "aaa");
}

#[test]
fn messages_are_lists_where_a_template_wants_lists() {
    let smolvlm = "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";
    let llava = "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}";
    let joined = "{% for m in messages %}{{ '[' ~ m.role ~ ']' + m['content'] }}{% endfor %}";
    let printed = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";
    let either = "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}{% if part.type == 'image' %}<|image_pad|>{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}|{% endfor %}";
    let said = [turn("user", 2, "Which?"), turn("assistant", 0, "Both."), turn("user", 0, "Why?")];
    let table = [
        (
            smolvlm,
            Schema::idefics3(),
            "<|im_start|>User:<image><image>Which?<end_of_utterance>\nAssistant: Both.<end_of_utterance>\nUser: Why?<end_of_utterance>\nAssistant:",
        ),
        (llava, Schema::bare(), "USER: <image>\n<image>\nWhich? ASSISTANT: Both. USER: Why? ASSISTANT:"),
        (joined, Schema::bare(), "[user]<image>\n<image>\nWhich?[assistant]Both.[user]Why?"),
        (
            printed,
            Schema::minicpm_2_6(),
            "[user](<image>./</image>)\n(<image>./</image>)\nWhich?[assistant]Both.[user]Why?",
        ),
        (either, Schema::minicpm_4_6(), "<|image_pad|><|image_pad|>Which?|Both.|Why?|"),
    ];
    for (source, schema, expected) in table {
        let template = Template::new(source, "<s>", "</s>", &schema).unwrap();
        assert_eq!(template.render(&said, true).unwrap(), expected);
        assert_eq!(expected.matches(template.placeholder()).count(), 2, "{expected}");
    }
}

#[test]
fn templates_have_what_transformers_gives_them() {
    let render = |source| template(source, "<s>", "</s>").unwrap().render(&[turn("user", 0, "Hi")], true).unwrap();
    assert_eq!(render("{{ {'a': [1, 'é<b>'], 'c': none} | tojson }}"), "{\"a\": [1, \"é<b>\"], \"c\": null}");
    assert_eq!(
        render(
            "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i > 3 %}{% break %}{% endif %}{{ i }}{% endfor %}"
        ),
        "023"
    );
    assert_eq!(
        render("{% set ns = namespace(n=0) %}{% for i in range(3) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}"),
        "3"
    );
    assert_eq!(
        render("{{ 'aB'.upper() ~ 'aB'.lower() ~ 'aBC'.capitalize() ~ 'aXa'.replace('a', 'o') }}"),
        "ABabAbcoXo"
    );
    let year: u32 = render("{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% endif %}").parse().unwrap();
    assert!((2024..2200).contains(&year), "{year}");
}

#[test]
fn hostile_templates_are_stopped() {
    let conversation = [turn("user", 0, "Hi")];
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% set x = a %}{% endfor %}{% endfor %}";
    let wordy = "{% for a in range(9999) %}{{ 'x' * 9999 }}{% endfor %}";
    let deep = "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}";
    let huge = "{{ 'x' * 99999999999 }}";
    let table = [
        (CHAT, "system", "says “No system here”"),
        (endless, "user", "does not come to an end"),
        (wordy, "user", "does not come to an end"),
        (deep, "user", "chat template"),
        (huge, "user", "chat template"),
        ("{{ messages[0].content.explode() }}", "user", "fails"),
        ("{% include 'x' %}", "user", "fails"),
    ];
    for (source, role, says) in table {
        let template = template(source, "", "").unwrap();
        let error = template.render(&[turn(role, 0, "Hi"), conversation[0].clone()], true).unwrap_err();
        assert!(error.kind() == ErrorKind::Model && error.to_string().contains(says), "{source}: {error}");
    }
    for broken in ["{% if %}", "{{ ", "{% for x in y %}", &"{{ (".repeat(5000), &"{% if 1 %}".repeat(5000)] {
        assert_eq!(template(broken, "", "").err().unwrap().kind(), ErrorKind::Model);
    }
}
