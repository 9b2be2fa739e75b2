//! The report: what is measured is printed and written at once, so that whoever stops keeps what there is.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use loupe::exec::gpu::About;

use crate::Done;

/// A report being written.
pub struct Report {
    pub path: PathBuf,
    file: File,
    /// Whether the adapter is a processor that plays a GPU: some hundred times slower, it is given less to do.
    pub software: bool,
}

impl Report {
    /// Begins `out`, or `benches/RESULTS-DATE-gpu-ADAPTER.md`.
    pub fn begin(about: &About, out: Option<String>, commit: Option<String>) -> Done<Self> {
        let About { adapter, driver, .. } = about;
        let software = ["llvmpipe", "lavapipe", "swiftshader"].iter().any(|name| adapter.to_lowercase().contains(name));
        let word = adapter.split([' ', '(']).next().unwrap_or_default().to_lowercase();
        let out = out.unwrap_or_else(|| format!("benches/RESULTS-{}-gpu-{word}", today()));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(out).with_extension("md");
        let mut report = Self { file: File::create(&path)?, path, software };
        let commit = commit.map_or_else(String::new, |commit| format!(" Commit {commit}."));
        report.say(&format!(
            "# Loupe on {adapter}\n\n{driver}, over Vulkan; {}. `cargo xtask bench --gpu` wrote this.{commit}\n\nEach time is \
             the median of several runs, from handing the steps over to having read four bytes of the result.\n",
            load()
        ))?;
        if software {
            report.say(
                "\n**This adapter is software: a processor that plays a GPU.** The numbers say that the benchmark works and how \
                 variants differ here. They say nothing about any GPU. Shapes are smaller than on one: at most 64 rows, 256 of attention, \
                 and 16 MiB of weights.\n",
            )?;
        }
        Ok(report)
    }

    /// Prints and writes.
    pub fn say(&mut self, text: &str) -> Done {
        print!("{text}");
        std::io::stdout().flush()?;
        self.file.write_all(text.as_bytes())?;
        Ok(self.file.flush()?)
    }
}

/// How busy the machine was before, as Linux counts.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match load.split(' ').next() {
        Some(load) if !load.is_empty() => format!("load before {load} on {cores} cores"),
        _ => format!("{cores} cores"),
    }
}

/// The date, by the civil calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

/// The median of the times that `run` takes, in seconds: of five runs and half a second, or of what five seconds have room
/// for.
pub fn median(mut run: impl FnMut() -> Done) -> Done<f64> {
    run()?;
    let (mut times, begin) = (Vec::new(), Instant::now());
    let spent = || begin.elapsed().as_secs_f64();
    while times.is_empty() || spent() < 5.0 && (times.len() < 5 || spent() < 0.5) {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// A number to three digits.
pub fn digits(number: f64) -> String {
    let places = (2 - number.abs().max(1e-9).log10().floor() as i32).clamp(0, 6) as usize;
    format!("{number:.places$}")
}

/// A part of a whole, in percent.
pub fn share(part: f64, whole: f64) -> String {
    format!("{} %", digits(100.0 * part / whole))
}
