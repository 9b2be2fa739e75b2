//! Finding and opening the model files that a command names.

use std::{
    env,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use loupe::{
    error::{Error, ErrorKind, Result},
    exec::AnyExecutor,
    session::{Opening, Session},
    source::{HubId, is_address},
};

use super::{
    cache::{Cache, Kept},
    fit::fits,
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
    /// What the GPU's kernels are to do without, to see what a lesser one would do: f32, nosubgroups.
    #[cfg(feature = "gpu")]
    #[arg(long, value_delimiter = ',', value_name = "MASKS")]
    gpu: Vec<String>,
    /// Run this node of the network and all after it on the GPU, those before it on --executor: to find one that the GPU
    /// computes wrongly.
    #[cfg(feature = "gpu")]
    #[arg(long, value_name = "NODE")]
    gpu_from: Option<String>,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum Kind {
    /// The processor's vector instructions.
    #[default]
    Cpu,
    /// A GPU, over Vulkan.
    #[cfg(feature = "gpu")]
    Gpu,
    /// Plain f32 on candle: slow, for comparison.
    #[cfg(feature = "reference")]
    Reference,
}

impl ExecutorArgs {
    fn executor(&self) -> Result<AnyExecutor> {
        #[cfg(feature = "gpu")]
        if let Some(node) = &self.gpu_from {
            if let Kind::Gpu = self.executor {
                return Err(Error::usage(
                    "With --gpu-from, --executor is what runs before the node: cpu or reference.",
                ));
            }
            let before = Self { gpu_from: None, gpu: vec![], ..*self }.executor()?;
            return Ok(AnyExecutor::Split(Box::new(loupe::exec::Split::new(before, self.gpu()?, node))));
        }
        Ok(match (self.executor, self.threads) {
            (Kind::Cpu, None) => AnyExecutor::default(),
            (Kind::Cpu, Some(threads)) => AnyExecutor::cpu(threads.into()),
            #[cfg(feature = "gpu")]
            (Kind::Gpu, _) => self.gpu()?,
            #[cfg(feature = "reference")]
            (Kind::Reference, _) => AnyExecutor::Reference(Default::default()),
        })
    }

    #[cfg(feature = "gpu")]
    fn gpu(&self) -> Result<AnyExecutor> {
        let wish = loupe::exec::gpu::Wish::of(self.gpu.iter().map(String::as_str))?;
        pollster::block_on(AnyExecutor::gpu(wish))
    }

    /// Refuses a node that the network has not.
    fn check(&self, session: Session) -> Result<Session> {
        #[cfg(feature = "gpu")]
        if let Some(node) = &self.gpu_from {
            session.check_node(node)?;
        }
        Ok(session)
    }
}

/// Opens the model of `--model`: a directory that holds a pair, the two files of one (paths or addresses), the address of
/// a manifest, a name on a hub, or the built-in model.
pub fn open(names: &[String], executor: &ExecutorArgs) -> Result<Session> {
    let [a, b] = match names {
        [] => pair_in(&built_in()?)?,
        [one] if Path::new(one).is_dir() => pair_in(Path::new(one))?,
        [one] if is_address(one) => Cache::of_this_machine()?.manifest_pair(one)?,
        [one] => match HubId::parse(one).filter(|_| !begins_here(one)) {
            Some(id) => Cache::of_this_machine()?.hub_pair(&id)?,
            None => return Err(usage()),
        },
        [a, b] if is_address(a) && is_address(b) => Cache::of_this_machine()?.addressed_pair([a, b])?,
        [a, b] => [file(a)?, file(b)?],
        _ => return Err(usage()),
    };
    executor.check(read([&a, &b], executor.executor()?)?)
}

fn usage() -> Error {
    Error::usage(
        "--model takes a directory, the two files of a model (--model text.gguf,mmproj.gguf; addresses too), the address of \
         a manifest, or owner/repo[:quant] on the hub.",
    )
}

/// Whether the first folder of a name is there: then a path was meant, and nothing is to be asked of a hub.
fn begins_here(name: &str) -> bool {
    name.split('/').next().is_some_and(|first| Path::new(first).exists())
}

fn file(name: &str) -> Result<Kept> {
    if is_address(name) { Cache::of_this_machine()?.addressed(name) } else { Ok(Kept::local(Path::new(name))) }
}

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;

/// Reads both files, headers first.
fn read(files: [&Kept; 2], executor: AnyExecutor) -> Result<Session> {
    let mut opening = Opening::default();
    let mut readers = [open_file(files[0])?, open_file(files[1])?];
    for at in [0, 1] {
        while !opening.knows(at) && push(&mut opening, at, &mut readers[at], files[at])? {}
    }
    fits(&opening)?;
    for at in [0, 1] {
        while push(&mut opening, at, &mut readers[at], files[at])? {}
        check(&opening, at, files[at])?;
    }
    opening.finish(executor)
}

fn open_file(kept: &Kept) -> Result<File> {
    let path = kept.path.display();
    File::open(&kept.path)
        .map_err(|e| Error::model(format!("The model file {path} could not be opened; check the path.")).because(e))
}

/// The next bytes of a file; false at its end.
fn push(opening: &mut Opening, at: usize, file: &mut File, kept: &Kept) -> Result<bool> {
    let mut chunk = Vec::new();
    let unreadable = |e| {
        let path = kept.path.display();
        Error::model(format!("The model file {path} could not be read; check the disk and try again.")).because(e)
    };
    file.take(CHUNK as u64).read_to_end(&mut chunk).map_err(unreadable)?;
    opening.push(at, &chunk)?;
    Ok(!chunk.is_empty())
}

/// Whether a file that was fetched once is what it was.
fn check(opening: &Opening, at: usize, kept: &Kept) -> Result<()> {
    let sha256: String = opening.sha256(at).iter().flatten().map(|byte| format!("{byte:02x}")).collect();
    if kept.sha256.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&sha256)) {
        return Ok(());
    }
    let path = kept.path.display();
    Err(Error::of_kind(
        ErrorKind::Damaged,
        format!("The kept model file {path} is no longer what was fetched; delete it, and it will be fetched anew."),
    ))
}

/// The two GGUF files of a directory; the one with `mmproj` in its name is the vision encoder.
fn pair_in(dir: &Path) -> Result<[Kept; 2]> {
    let unreadable =
        |e| Error::model(format!("The directory {} could not be read; check the path.", dir.display())).because(e);
    let entries = fs::read_dir(dir).map_err(unreadable)?;
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "gguf")).collect();
    files.sort();
    let pair = <[PathBuf; 2]>::try_from(files).map_err(|found| {
        Error::model(format!(
            "{} holds {} GGUF files; a model is two, the language model and its mmproj file. Name both with --model.",
            dir.display(),
            found.len()
        ))
    })?;
    Ok(pair.map(|path| Kept::local(&path)))
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
