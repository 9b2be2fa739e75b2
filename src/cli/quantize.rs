//! `loupe quantize`: a model file with smaller weights.

use std::{
    fs::{self, File},
    io::{BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

use loupe::{
    error::{Error, ErrorKind, Result},
    quantize::{Progress, SCHEMES, Scheme, quantize},
};

use super::ask::print;

/// Arguments of `loupe quantize`.
#[derive(clap::Args)]
pub struct Args {
    /// The GGUF file to read: a language model or its mmproj.
    input: PathBuf,
    /// The GGUF file to write.
    output: PathBuf,
    /// f32, f16, q8_0, q6_k, q5_k_m, q5_0, q4_k_m, q4_k_s or q4_0.
    #[arg(value_name = "TYPE")]
    scheme: String,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let scheme = Scheme::named(&args.scheme).ok_or_else(|| {
        let known: Vec<_> = SCHEMES.iter().map(|scheme| scheme.name).collect();
        Error::usage(format!("There is no type “{}”; choose one of {}.", args.scheme, known.join(", ")))
    })?;
    let (from, to) = (args.input.display(), args.output.display());
    let input = File::open(&args.input)
        .map_err(|e| Error::model(format!("The model file {from} could not be opened; check the path.")).because(e))?;
    // Under another name until it is whole: whoever finds a file of the right name finds a model.
    let part = PathBuf::from(format!("{to}.part"));
    let written =
        write(input, &part, scheme).and_then(|()| fs::rename(&part, &args.output).map_err(unwritable(&args.output)));
    if let Err(error) = written {
        // What is left of it is of no use; that it cannot be removed is no second error.
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    let size = |path: &Path| fs::metadata(path).map_or(0.0, |file| file.len() as f64 / 1e6);
    print(&format!("{to}: {:.1} MB in {}, from {:.1} MB\n", size(&args.output), scheme.name, size(&args.input)))
}

fn write(input: File, part: &Path, scheme: Scheme) -> Result<()> {
    let mut output = BufWriter::new(File::create(part).map_err(unwritable(part))?);
    let shown = std::io::stderr().is_terminal();
    quantize(input, &mut output, scheme, &mut |Progress { tensor, from, to, done, total }| {
        if shown {
            eprint!("\r\x1b[K[{done}/{total}] {tensor}: {from:?} → {to:?}{}", if done == total { "\n" } else { "" });
        }
        true
    })?;
    output.flush().map_err(unwritable(part))
}

fn unwritable(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |cause| {
        Error::of_kind(
            ErrorKind::Storage,
            format!("{path} could not be written; check the path and the room on the disk."),
        )
        .because(cause)
    }
}
