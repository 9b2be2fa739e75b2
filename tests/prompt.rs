//! A conversation becomes the tokens and picture rows that the decoder was trained on.

#![allow(clippy::unwrap_used)]

use loupe::error::ErrorKind;
use loupe::text::prompt::{Item, MARKER, Overview, PictureShape, Schema, items, message};
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

fn turn(role: &'static str, content: &str) -> Message {
    Message { role, content: content.into() }
}

/// Token ids as text, special ones by name, picture rows as (picture.view.row).
fn spell(tokenizer: &Tokenizer, items: &[Item]) -> String {
    let spell = |item: &Item| match *item {
        Item::Token(id) if id >= 256 => tokenizer.vocabulary().tokens[id as usize].clone(),
        Item::Token(id) => String::from_utf8_lossy(&tokenizer.bytes(id)).into_owned(),
        Item::PictureRow { picture, view, row } => format!("({picture}.{view}.{row})"),
    };
    items.iter().map(spell).collect()
}

#[test]
fn the_spatial_schema() {
    let tokenizer = tokenizer(false);
    let schema = |columns, rows, overview| Schema::new(&tokenizer, columns, rows, overview).unwrap();
    let table = [
        (schema(",", "\n", Overview::Last), (2, 2, 1), "(7.0.0),(7.1.0)\n(7.2.0),(7.3.0)\n(7.4.0)"),
        (schema(",", "\n", Overview::First), (1, 2, 1), "(7.2.0)(7.0.0)\n(7.1.0)\n"),
        (schema(",", "\n", Overview::Last), (0, 0, 3), "(7.0.0)(7.0.1)(7.0.2)"),
        (schema("", "<|end|>", Overview::Last), (3, 1, 1), "(7.0.0)(7.1.0)(7.2.0)<|end|>(7.3.0)"),
        (schema(",", "\n", Overview::Last), (1, 1, 2), "(7.0.0)(7.0.1)\n(7.1.0)(7.1.1)"),
    ];
    for (schema, (columns, rows, per_view), expected) in table {
        assert_eq!(spell(&tokenizer, &schema.picture(7, PictureShape { columns, rows, per_view })), expected);
    }
    // 672 × 1008 at 64 rows a view: 6 · 65 + 64.
    let shape = PictureShape { columns: 2, rows: 3, per_view: 64 };
    assert_eq!(schema(",", "\n", Overview::Last).picture(0, shape).len(), 454);
}

#[test]
fn a_conversation_about_two_pictures() {
    let tokenizer = tokenizer(false);
    let schema = Schema::new(&tokenizer, ",", "\n", Overview::Last).unwrap();
    let template = Template::new(CHAT, "", "<|end|>").unwrap();
    let conversation = [
        turn("user", &message(&tokenizer, 2, "Which is <|end|> <image>?")),
        turn("assistant", &message(&tokenizer, 0, "The first")),
        turn("user", &message(&tokenizer, 0, "Why?")),
    ];
    let text = template.render(&conversation, true).unwrap();
    let uncut = PictureShape { columns: 0, rows: 0, per_view: 1 };
    let cut = PictureShape { columns: 2, rows: 1, per_view: 1 };
    let prompt = items(&tokenizer, &schema, &text, &[uncut, cut]).unwrap();
    assert_eq!(
        spell(&tokenizer, &prompt),
        "<|user|>(0.0.0)(1.0.0),(1.1.0)\n(1.2.0)Which is <|end|> <image>?<|assistant|>The first<|end|><|user|>Why?<|assistant|>"
    );
    // The person's “<|end|>” is letters; only the template's ends a turn.
    assert_eq!(prompt.iter().filter(|&&item| item == Item::Token(END)).count(), 1);
    assert_eq!(prompt.iter().filter(|&&item| item == Item::Token(USER)).count(), 2);
    assert_eq!(prompt.last(), Some(&Item::Token(ASSISTANT)));
    for pictures in [&[uncut][..], &[uncut, cut, cut]] {
        assert_eq!(items(&tokenizer, &schema, &text, pictures).unwrap_err().kind(), ErrorKind::Model);
    }
}

#[test]
fn conversations_begin_once() {
    let tokenizer = tokenizer(true);
    let schema = Schema::new(&tokenizer, ",", "\n", Overview::Last).unwrap();
    let spelled = |text| spell(&tokenizer, &items(&tokenizer, &schema, text, &[]).unwrap());
    assert_eq!(spelled("hi"), "<|end|>hi");
    assert_eq!(spelled("<|end|>hi"), "<|end|>hi");
    assert_eq!(spelled(""), "<|end|>");
    let uncut = PictureShape { columns: 0, rows: 0, per_view: 1 };
    let prompt = items(&tokenizer, &schema, MARKER, &[uncut]).unwrap();
    assert_eq!(spell(&tokenizer, &prompt), "<|end|>(0.0.0)");
}

#[test]
fn templates_in_the_manner_of_published_ones() {
    let chatml = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    let conversation = [turn("user", "Hi")];
    let render =
        |source: &str, open| Template::new(source, "<s>", "</s>").unwrap().render(&conversation, open).unwrap();
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
fn hostile_templates_are_stopped() {
    let conversation = [turn("user", "Hi")];
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
        let template = Template::new(source, "", "").unwrap();
        let error = template.render(&[turn(role, "Hi"), conversation[0].clone()], true).unwrap_err();
        assert!(error.kind() == ErrorKind::Model && error.to_string().contains(says), "{source}: {error}");
    }
    for broken in ["{% if %}", "{{ ", "{% for x in y %}", &"{{ (".repeat(5000), &"{% if 1 %}".repeat(5000)] {
        assert_eq!(Template::new(broken, "", "").err().unwrap().kind(), ErrorKind::Model);
    }
}
