//! Whole conversations: logits and greedy answers equal the original's, and what a session keeps from question to question
//! changes no answer.

use loupe::{
    Session, Source,
    exec::{AnyExecutor, Reference},
    image::{Rgb, patches::patch_rows, views::views},
    protocol::{Answer, AskOptions, Event},
    session::{Model, picture_shape},
    text::{
        prompt::{Item, PictureShape},
        stream::TextStream,
        template::Message,
    },
};

use crate::{
    adapter::rounding,
    fixture::{Case, FAMILIES, Family, executors, picture},
    text::{BOUND, HALVES},
};

/// What a cold model knows of the pictures of a conversation.
#[derive(Default)]
struct Seen {
    shapes: Vec<PictureShape>,
    /// The rows of each view of each picture.
    rows: Vec<Vec<Vec<f32>>>,
}

impl Seen {
    fn look(&mut self, model: &mut Model, picture: &Rgb) {
        let layout = model.slicing.layout(picture.width, picture.height).unwrap();
        let encode = |view: &Rgb| {
            let patches = patch_rows(view, model.config.vision.patch as u32, &model.normalise).unwrap();
            let grid = model.config.vision.grid(view.width, view.height);
            pollster::block_on(model.encode(&patches, grid, None)).unwrap()
        };
        self.rows.push(views(picture, &layout).iter().map(encode).collect());
        self.shapes.push(picture_shape(&layout, model));
    }
}

/// Reads a whole prompt into an empty cache, a hundred positions at a time; the logits after it.
fn read(model: &mut Model, items: &[Item], seen: &Seen) -> Vec<f32> {
    let (width, mut logits) = (model.config.text.layer.width, Vec::new());
    for (at, part) in items.chunks(100).enumerate() {
        let (mut ids, mut rows, mut order) = (Vec::new(), Vec::new(), Vec::new());
        let tokens = part.iter().filter(|item| matches!(item, Item::Token(_))).count();
        for item in part {
            match *item {
                Item::Token(id) => {
                    order.push(ids.len() as u32);
                    ids.push(id);
                }
                Item::PictureRow { picture, view, row } => {
                    order.push((tokens + rows.len() / width) as u32);
                    rows.extend(&seen.rows[picture as usize][view as usize][row as usize * width..][..width]);
                }
            }
        }
        logits = pollster::block_on(model.prefill(&ids, &rows, &order, at * 100, None)).unwrap();
    }
    logits
}

/// The likeliest tokens after a prompt that has been read, up to one that ends the answer.
fn answer(model: &mut Model, mut logits: Vec<f32>, mut position: usize, most: usize, ends: bool) -> Vec<u32> {
    let mut said = Vec::new();
    while said.len() < most {
        let id = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]).then(b.cmp(&a))).unwrap() as u32;
        if ends && model.tokenizer.is_end(id) {
            break;
        }
        said.push(id);
        logits = pollster::block_on(model.decode(id, position)).unwrap();
        position += 1;
    }
    said
}

fn spell(model: &Model, said: &[u32]) -> String {
    let mut stream = TextStream::new();
    let bytes = |(at, &id)| if at == 0 { model.tokenizer.first_bytes(id) } else { model.tokenizer.bytes(id) };
    let mut text: String = said.iter().enumerate().map(|token| stream.push(&bytes(token))).collect();
    text.push_str(&stream.finish());
    text
}

fn open(family: &Family, executor: AnyExecutor) -> Model {
    Model::open(family.file("text"), family.file("mmproj"), executor).unwrap()
}

#[test]
fn conversations_read_as_the_originals() {
    for name in FAMILIES {
        let family = Family::load(name);
        // Of what a GPU can do less, each layer was compared already.
        let mut gpus = 0;
        for (nth, executor) in executors().into_iter().enumerate() {
            gpus += usize::from(executor.description().starts_with("gpu"));
            if gpus > 1 {
                break;
            }
            let halves = if matches!(executor, AnyExecutor::Reference(_)) { BOUND } else { HALVES };
            let rounding = rounding(&executor);
            let mut model = open(&family, executor);
            // Rows of pictures have passed through the encoder besides: as many sums again.
            let bound = BOUND + halves + 2.0 * rounding;
            for case in &family.cases {
                // Large pictures are for the fastest; they show nothing new to the others.
                if nth != 1 && case.ids.len() > 200 {
                    continue;
                }
                let (items, seen) = conversation(&mut model, case);
                let logits = read(&mut model, &items, &seen);
                family.check(&format!("{}.logits", case.name), &logits, bound);
                if let Some(want) = &case.answer {
                    let said = answer(&mut model, logits, items.len(), want.len(), false);
                    assert_eq!(said, *want, "{name} {} on {}", case.name, model.executor());
                }
            }
        }
    }
}

fn conversation(model: &mut Model, case: &Case) -> (Vec<Item>, Seen) {
    let mut seen = Seen::default();
    case.pictures.iter().for_each(|&given| seen.look(model, &picture(given)));
    let mut messages = Vec::new();
    let mut pictures = case.pictures.len();
    for [question, answer] in &case.history {
        messages.push(model.message("user", std::mem::take(&mut pictures), question));
        messages.push(model.message("assistant", 0, answer));
    }
    messages.push(model.message("user", pictures, &case.question));
    (model.prompt(&messages, true, &seen.shapes).unwrap(), seen)
}

/// A session, and a model that reads the same conversation anew for every question.
struct Pair {
    warm: Session,
    cold: Model,
    seen: Seen,
    messages: Vec<Message>,
    shown: usize,
}

impl Pair {
    fn new(family: &Family, [warm, cold]: [AnyExecutor; 2]) -> Self {
        let warm = Session::open_on(family.file("text"), family.file("mmproj"), warm).unwrap();
        Self { warm, cold: open(family, cold), seen: Seen::default(), messages: Vec::new(), shown: 0 }
    }

    fn see(&mut self, given: [u32; 3]) {
        let picture = picture(given);
        self.seen.look(&mut self.cold, &picture);
        let pixels = picture.pixels.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
        self.warm.see(given[2], Source::Rgba { width: picture.width, height: picture.height, pixels });
    }

    fn forget(&mut self) {
        self.warm.forget(false);
        (self.messages, self.shown) = (Vec::new(), 0);
    }

    /// Asks the session alone, and stops it after some steps. A question that was stopped before a word was said was not asked.
    fn stop(&mut self, question: &str, steps: usize) {
        self.warm.ask(1, question, AskOptions::default());
        (0..steps).for_each(|_| drop(pollster::block_on(self.warm.step())));
        let stopped = self.warm.stop(1);
        // Before it may come the text of a token whose bytes are no character yet.
        let Some(Event::Done { answer, .. }) = stopped.last() else { panic!("{stopped:?}") };
        if answer.usage.answer_tokens > 0 && !answer.text.is_empty() {
            self.messages.push(self.cold.message("user", 0, question));
            self.messages.push(self.cold.message("assistant", 0, &answer.text));
        }
    }

    /// Asks both; fails when they differ.
    fn ask(&mut self, question: &str) -> Answer {
        self.warm.ask(1, question, AskOptions { max_tokens: 6, ..AskOptions::default() });
        let mut got = None;
        while let Some(events) = pollster::block_on(self.warm.step()) {
            for event in events {
                match event {
                    Event::Done { answer, .. } => got = Some(answer),
                    Event::Failed { message, .. } => panic!("{message}"),
                    _ => {}
                }
            }
        }
        let got = got.unwrap();
        let pictures = self.seen.shapes.len() - std::mem::replace(&mut self.shown, self.seen.shapes.len());
        self.messages.push(self.cold.message("user", pictures, question));
        let items = self.cold.prompt(&self.messages, true, &self.seen.shapes).unwrap();
        let logits = read(&mut self.cold, &items, &self.seen);
        let said = answer(&mut self.cold, logits, items.len(), 6, true);
        let want = spell(&self.cold, &said);
        assert_eq!(got.text, want, "{question}");
        assert_eq!(got.usage.prompt_tokens as usize, items.len());
        self.messages.push(self.cold.message("assistant", 0, &want));
        got
    }
}

#[test]
fn what_a_session_keeps_changes_no_answer() {
    keeps(|| AnyExecutor::Reference(Reference::default()));
}

/// The session begins steps ahead, and those that nobody asks for any more leave no trace; the other model does not.
#[test]
fn what_a_session_begins_ahead_changes_no_answer() {
    if let Some(plain) = crate::adapter::gpus().pop() {
        // Halves in layers would let the portions that a prompt is read in decide between tokens that are about equally likely.
        assert!(plain.description().contains(", f32"), "{}", plain.description());
        keeps(|| crate::adapter::gpus().pop().unwrap());
    }
}

fn keeps(executor: impl Fn() -> AnyExecutor) {
    for name in FAMILIES {
        let family = Family::load(name);
        let mut pair = Pair::new(&family, [executor(), executor()]);
        pair.see([200, 100, 1]);
        let first = pair.ask("What is above the door?");
        assert_eq!(first.usage.cached_tokens, 0);
        let second = pair.ask("How many people are there?");
        let read = |answer: &Answer| answer.usage.prompt_tokens - answer.usage.cached_tokens;
        assert!(second.usage.cached_tokens >= first.usage.picture_tokens, "{name}: the picture stands");
        let turn = first.usage.answer_tokens + 60;
        assert!(read(&second) <= turn, "{name}: {} positions were read again", read(&second));
        pair.see([120, 90, 2]);
        let third = pair.ask("What does the sign say?");
        let new = third.usage.picture_tokens - second.usage.picture_tokens;
        assert!(read(&third) <= turn + new, "{name}: {} positions were read, {new} of them new", read(&third));
        // The same pictures, another conversation; then again, as if it had not been.
        for question in ["Read the text.", "Which colour is the car?", "Read the text."] {
            pair.forget();
            pair.ask(question);
        }
        // Stopped while it reads, and while it answers.
        for steps in [1, 2, 3, 9] {
            pair.stop("Describe the image in detail.", steps);
            pair.ask("And the tree?");
        }
    }
}
