//! A pair of files becomes a model that can be asked.

use std::collections::{BTreeMap, HashMap};

use super::{
    family,
    form::{self, Form, Forms},
    header,
};
use crate::{
    error::{Error, Result},
    exec::{AnyExecutor, Executor, Found, Input},
    gguf::{File, Header, TensorInfo},
    graph::{Graph, Live, Plan, Trace},
    image::{patches::Normalise, slice::Slicing},
    model::{self, ViewInput, ViewInputs, VlmConfig},
    protocol::{Format, ModelInfo},
    text::{
        prompt::{self, Item, PictureShape},
        schema::Schema,
        template::{Message, Template},
        tokenizer::Tokenizer,
    },
};

/// A model, its executor, and what turns pictures and words into its rows and back.
pub struct Model {
    /// What the files say of the network.
    pub config: VlmConfig,
    /// What callers are told.
    pub info: ModelInfo,
    /// How pictures are cut.
    pub slicing: Slicing,
    /// How pixels become numbers.
    pub normalise: Normalise,
    /// How a picture's views stand in a prompt.
    pub schema: Schema,
    /// Text to ids and back.
    pub tokenizer: Tokenizer,
    /// How a conversation becomes one text.
    pub template: Template,
    /// How long each node took, once that is asked for.
    pub profile: Option<Profile>,
    /// Grammars for its vocabulary, once there was need of them.
    pub(super) forms: Option<Box<dyn Forms>>,
    executor: AnyExecutor,
    prefill: Plan,
    decode: Plan,
    /// A step of which the likeliest token alone is read, for a machine that runs ahead.
    likeliest: Option<Plan>,
    position_table: Vec<f32>,
    views: HashMap<[usize; 2], (Plan, ViewInputs)>,
}

/// The nodes of the network as they ran, by what they were run for.
#[derive(Debug, Default)]
pub struct Profile {
    /// Looking at views.
    pub encode: Trace,
    /// Reading prompts.
    pub prefill: Trace,
    /// Saying tokens.
    pub decode: Trace,
}

/// What two headers say together: the network, all of whose weights are in them.
pub struct Network {
    pub config: VlmConfig,
    pub slicing: Slicing,
    schema: Schema,
    pub prefill: Graph,
    pub decode: Graph,
}

impl Network {
    /// Reads the header of the language model and that of the vision encoder.
    ///
    /// # Errors
    /// A model error when they are of an unsupported kind, no pair, or lack a weight.
    pub fn read(text: &Header, vision: &Header) -> Result<Self> {
        header::check_pair(text, vision)?;
        let config = VlmConfig::read(text, vision)?;
        let (prefill, decode) = (model::prefill(&config.text)?, model::decode(&config.text)?);
        let tensors: BTreeMap<&str, &TensorInfo> =
            [text, vision].iter().flat_map(|h| &h.tensors).map(|t| (t.name.as_str(), t)).collect();
        // Any grid serves to check the vision weights: their shapes do not depend on it.
        let view = model::view(&config, [config.merged(); 2])?;
        for graph in [&prefill, &decode, &view] {
            model::check(graph, |name| tensors.get(name).copied())?;
        }
        model::check_leftover(&prefill, config.text.mixers.len(), text.tensors.iter())?;
        model::check_leftover_vision(&view, config.vision.layers, vision.tensors.iter())?;
        let shape = config.vision.table();
        let table = tensors.get(POSITION_TABLE).filter(|t| t.matrix() == shape && t.ggml_type.block_len() == 1);
        if table.is_none() {
            let [rows, width] = shape;
            return Err(Error::model(format!(
                "The table `{POSITION_TABLE}` should have {rows} rows of {width} numbers in F32, F16 or BF16; the file is damaged or not supported."
            )));
        }
        let (slicing, schema) = (family::slicing(vision, &config)?, family::schema(vision, &config)?);
        Ok(Self { config, slicing, schema, prefill, decode })
    }

    /// The chat template in the language model's header, with whose tokenizer all that stands in prompts can be written.
    ///
    /// # Errors
    /// A model error when a token or a marker is missing, or the template is no program.
    pub fn template(&self, text: &Header, tokenizer: &Tokenizer) -> Result<Template> {
        header::check_vocabulary(tokenizer, self.config.text.vocabulary)?;
        self.schema.check(tokenizer, &self.slicing.places())?;
        header::template(text, tokenizer, &self.schema)
    }
}

/// The language model's and the vision encoder's of two files that came in either order.
pub fn sort<T>(a: T, b: T, header: impl Fn(&T) -> &Header) -> (T, T) {
    let is_vision = header(&a).text("general.architecture").is_ok_and(|kind| kind == "clip");
    if is_vision { (b, a) } else { (a, b) }
}

const POSITION_TABLE: &str = "v.position_embd.weight";

/// Steps of decoding under way at once: one that is read, one that runs, one that waits for it.
const AHEAD: usize = 3;

/// Grids whose positions are kept, some megabytes each: more than a few pictures have.
const MOST_GRIDS: usize = 8;

impl Model {
    /// Opens a model from its two files, in either order, for an executor that has none yet.
    ///
    /// # Errors
    /// A model error when a file is damaged, of an unsupported kind, or not of the same model as the other.
    pub fn open(a: File, b: File, executor: AnyExecutor) -> Result<Self> {
        let (mut text, vision) = sort(a, b, |file| &file.header);
        let network = Network::read(&text.header, &vision.header)?;
        let tokenizer = header::tokenizer(&mut text.header)?;
        Self::assemble([text, vision], network, tokenizer, executor)
    }

    /// The model of two files, the language model's first, whose headers have been read.
    pub(super) fn assemble(
        [text, mut vision]: [File; 2],
        network: Network,
        tokenizer: Tokenizer,
        mut executor: AnyExecutor,
    ) -> Result<Self> {
        let template = network.template(&text.header, &tokenizer)?;
        let Network { config, slicing, schema, prefill, decode } = network;
        let likeliest = executor.ahead().map(|_| model::likeliest(&config.text).map(Plan::new)).transpose()?;
        let position_table = vision.tensors.remove(POSITION_TABLE).and_then(|table| table.floats()).unwrap_or_default();
        let mut this = Self {
            info: header::info(&text, &vision, &config, &slicing)?,
            slicing,
            normalise: Normalise { mean: config.vision.mean, std: config.vision.std },
            template,
            schema,
            tokenizer,
            profile: None,
            forms: None,
            executor,
            prefill: Plan::new(prefill),
            decode: Plan::new(decode),
            likeliest,
            position_table,
            views: HashMap::new(),
            config,
        };
        for (name, tensor) in text.tensors.into_iter().chain(vision.tensors) {
            this.executor.load(&name, tensor)?;
        }
        Ok(this)
    }

    /// What the network runs on.
    pub fn executor(&self) -> String {
        self.executor.description()
    }

    /// Whether the network has a node of this name, or one that reads the weight of this name.
    ///
    /// # Errors
    /// A usage error when it has none, which names some like it.
    pub fn check_node(&self, name: &str) -> Result<()> {
        let view = model::view(&self.config, [self.config.merged(); 2])?;
        let graphs = [&view, self.prefill.graph(), self.decode.graph()];
        if graphs.iter().any(|graph| graph.find(name).is_some()) {
            return Ok(());
        }
        let mut names: Vec<&str> = graphs.iter().flat_map(|graph| graph.names()).collect();
        let alike = |other: &&str| name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        names.sort_by_key(|other| std::cmp::Reverse(alike(other)));
        names.dedup();
        let some = names[..names.len().min(5)].join("`, `");
        Err(Error::usage(format!("The network has no node `{name}`; among others it has `{some}`.")))
    }

    /// Whether it runs on a GPU.
    pub fn on_gpu(&self) -> bool {
        self.executor.is_gpu()
    }

    /// Resolves once the weights are where they are run.
    ///
    /// # Errors
    /// When a GPU has too little memory for them, was lost, or cannot run the network.
    pub async fn ready(&self) -> Result<()> {
        self.executor.ready().await
    }

    /// Gives up the weights and what they lie on: the model can no longer be run.
    pub fn give_up(&mut self) {
        self.executor = AnyExecutor::cpu(1);
    }

    /// What was said, as the template wants it: nothing in the words can be taken for a picture or a special token.
    pub fn message(&self, role: &'static str, pictures: usize, words: &str) -> Message {
        Message { role, pictures, words: self.tokenizer.quote(words, self.template.placeholder()) }
    }

    /// A conversation about pictures of these shapes as the decoder reads it, up to where it answers when `open` is set.
    ///
    /// # Errors
    /// A model error when the template refuses the conversation or loses a picture; a usage error when its text cannot be
    /// cut into tokens.
    pub fn prompt(&self, messages: &[Message], open: bool, pictures: &[PictureShape]) -> Result<Vec<Item>> {
        let rendered = self.template.render(messages, open)?;
        prompt::items(&self.tokenizer, &self.schema, &rendered, self.template.placeholder(), pictures)
    }

    /// What holds an answer to a format; nothing where it may be any text.
    ///
    /// # Errors
    /// A usage error when the format cannot be followed.
    pub fn form(&mut self, format: &Format) -> Result<Option<Box<dyn Form>>> {
        if let Format::Text {} = format {
            return Ok(None);
        }
        let forms = match &mut self.forms {
            Some(forms) => forms,
            none => none.insert(form::built_in(&self.tokenizer)?),
        };
        forms.begin(format).map(Some)
    }

    /// Encodes one view: its patches `[rows·columns, 3·patch²]` become `[rows of the view, width]`.
    ///
    /// # Errors
    /// An internal error when a step fails.
    pub async fn encode(
        &mut self,
        patches: &[f32],
        [rows, columns]: [usize; 2],
        trace: Option<&mut Trace>,
    ) -> Result<Vec<f32>> {
        if !self.views.contains_key(&[rows, columns]) {
            if self.views.len() >= MOST_GRIDS {
                self.views.clear();
            }
            let plan = Plan::new(model::view(&self.config, [rows, columns])?);
            let inputs = model::view_inputs(&self.config, &self.position_table, [rows, columns]);
            self.views.insert([rows, columns], (plan, inputs));
        }
        let (plan, of_grid) = &self.views[&[rows, columns]];
        let mut inputs = vec![(model::PATCHES, Input::Matrix(patches))];
        inputs.extend(of_grid.iter().map(|(name, input)| match input {
            ViewInput::Matrix(numbers) => (*name, Input::Matrix(numbers)),
            ViewInput::Index(rows) => (*name, Input::Index(rows)),
        }));
        let trace = trace.or(self.profile.as_mut().map(|p| &mut p.encode));
        self.executor.run(plan, &Live::default(), &inputs, trace)?;
        self.executor.read(0).await
    }

    /// Reads a chunk of a prompt into the cache at `position` and gives the logits after its last position,
    /// `[vocabulary]`. `order` names, for each position, its row among `ids` followed by `pictures`
    /// (`[any, width]`).
    ///
    /// # Errors
    /// An internal error when a step fails.
    pub async fn prefill(
        &mut self,
        ids: &[u32],
        pictures: &[f32],
        order: &[u32],
        position: usize,
        trace: Option<&mut Trace>,
    ) -> Result<Vec<f32>> {
        let live = Live { tokens: ids.len(), pictures: order.len() - ids.len(), position };
        let last = [order.len() as u32 - 1];
        let inputs = [
            (model::IDS, Input::Index(ids)),
            (model::PICTURES, Input::Matrix(pictures)),
            (model::ORDER, Input::Index(order)),
            (model::LAST, Input::Index(&last)),
        ];
        let trace = trace.or(self.profile.as_mut().map(|p| &mut p.prefill));
        self.executor.run(&self.prefill, &live, &inputs, trace)?;
        self.executor.read(0).await
    }

    /// Keeps what the network remembers in states, under a number; see [`Executor::keep`].
    ///
    /// # Errors
    /// A model error when there is not enough memory.
    pub fn keep(&mut self, slot: usize) -> Result<()> {
        self.executor.keep(slot)
    }

    /// Takes back what was kept under a number.
    ///
    /// # Errors
    /// An internal error when nothing was.
    pub fn restore(&mut self, slot: usize) -> Result<()> {
        self.executor.restore(slot)
    }

    /// One step of decoding: puts `id` at `position` and gives the logits after it, `[vocabulary]`.
    ///
    /// # Errors
    /// An internal error when a step fails.
    pub async fn decode(&mut self, id: u32, position: usize) -> Result<Vec<f32>> {
        let live = Live { tokens: 1, pictures: 0, position };
        let trace = self.profile.as_mut().map(|p| &mut p.decode);
        self.executor.run(&self.decode, &live, &[(model::IDS, Input::Index(&[id]))], trace)?;
        self.executor.read(0).await
    }
    /// Whether the likeliest token can be asked for alone, and steps be begun before it is known.
    pub fn runs_ahead(&mut self) -> bool {
        // Node by node there is nothing to run ahead of.
        self.likeliest.is_some() && self.profile.is_none() && self.executor.ahead().is_some()
    }

    /// As [`Self::decode`], for a machine that runs ahead: the likeliest token and its logit. Steps are begun for tokens
    /// that are not yet known, at most for `count` tokens from this one on; when this is asked again, it must be for the
    /// token that it gave.
    ///
    /// # Errors
    /// An internal error when a step fails.
    pub async fn likeliest(&mut self, id: u32, position: usize, count: usize) -> Result<Found> {
        let Self { executor, likeliest, .. } = self;
        let (Some(ahead), Some(plan)) = (executor.ahead(), likeliest) else {
            return Err(Error::internal("The machine does not run ahead; report this."));
        };
        while ahead.begun() < count.clamp(1, AHEAD) {
            let begun = ahead.begun();
            let live = Live { tokens: 1, pictures: 0, position: position + begun };
            let ids = [id];
            let input = if begun == 0 { Input::Index(&ids) } else { Input::Found };
            ahead.begin(plan, &live, &[(model::IDS, input)])?;
        }
        ahead.next().await
    }

    /// Gives up the steps that were begun for tokens nobody asks for any more; whether there were any. Positions in caches
    /// will be written again, but states have gone beyond what was said.
    pub fn stop_ahead(&mut self) -> bool {
        let Some(ahead) = self.executor.ahead() else { return false };
        let begun = ahead.begun();
        ahead.give_up();
        begun > 0
    }
}
