//! Finding and opening the model files that a command names.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use loupe::{
    error::{Error, Result},
    exec::AnyExecutor,
    gguf,
    session::Session,
};

/// What the network is to run on.
#[derive(clap::Args, Default)]
pub struct ExecutorArgs {
    /// What the network runs on.
    #[arg(long, value_enum, default_value_t)]
    executor: Kind,
    /// Threads; as many as there are cores, up to eight, when left out.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum Kind {
    /// The processor's vector instructions.
    #[default]
    Cpu,
    /// Plain f32 on candle: slow, for comparison.
    #[cfg(feature = "reference")]
    Reference,
}

impl ExecutorArgs {
    fn executor(&self) -> AnyExecutor {
        match (self.executor, self.threads) {
            (Kind::Cpu, None) => AnyExecutor::default(),
            (Kind::Cpu, Some(threads)) => AnyExecutor::cpu(threads.into()),
            #[cfg(feature = "reference")]
            (Kind::Reference, _) => AnyExecutor::Reference(Default::default()),
        }
    }
}

/// Opens the model of `--model`: a directory that holds a pair, the two files of one, or the built-in model.
pub fn open(paths: &[PathBuf], executor: &ExecutorArgs) -> Result<Session> {
    let [a, b] = match paths {
        [] => pair_in(&built_in()?)?,
        [one] if one.is_dir() => pair_in(one)?,
        [a, b] => [a.clone(), b.clone()],
        _ => {
            return Err(Error::usage(
                "--model takes a directory, or the two files of a model , as in --model text.gguf,mmproj.gguf.",
            ));
        }
    };
    Session::open_on(read(&a)?, read(&b)?, executor.executor())
}

fn read(path: &Path) -> Result<gguf::File> {
    let missing =
        |e| Error::model(format!("The model file {} could not be opened; check the path.", path.display())).because(e);
    gguf::File::read(File::open(path).map_err(missing)?)
}

/// The two GGUF files of a directory; the one with `mmproj` in its name is the vision encoder.
fn pair_in(dir: &Path) -> Result<[PathBuf; 2]> {
    let unreadable =
        |e| Error::model(format!("The directory {} could not be read; check the path.", dir.display())).because(e);
    let entries = fs::read_dir(dir).map_err(unreadable)?;
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "gguf")).collect();
    files.sort();
    <[PathBuf; 2]>::try_from(files).map_err(|found| {
        Error::model(format!(
            "{} holds {} GGUF files; a model is two, the language model and its mmproj file. Name both with --model.",
            dir.display(),
            found.len()
        ))
    })
}

/// Where the built-in model lies: beside the program, or in the `models` directory of the checkout it was built in.
fn built_in() -> Result<PathBuf> {
    let beside = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("models")));
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    [beside, Some(checkout)]
        .into_iter()
        .flatten()
        .find(|dir| dir.is_dir())
        .ok_or_else(|| Error::model("The built-in model was not found beside the program; name a model with --model."))
}
