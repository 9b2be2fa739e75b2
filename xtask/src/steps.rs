//! Saying what is being done, how long it took, and what went wrong.

use std::{
    env,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Instant,
};

/// Done, or one sentence that says why not.
pub type Done<T = ()> = Result<T, String>;

/// The repository.
pub fn root() -> PathBuf {
    // Cargo tells a running task where its package is now; the folder may have moved since it was compiled.
    let xtask = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map_or(xtask.clone(), PathBuf::from)
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs this task.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Says what is being done, does it, and says how long it took.
pub fn step<T>(what: &str, work: impl FnOnce() -> Done<T>) -> Done<T> {
    println!("> {what}");
    let begun = Instant::now();
    let result = work()?;
    println!("  {:.1} s", begun.elapsed().as_secs_f64());
    // What follows may write to standard error: keep the two in order.
    std::io::stdout().flush().ok();
    Ok(result)
}

/// Runs a command of which the person sees everything.
pub fn run(command: &mut Command) -> Done {
    command.current_dir(root());
    let name = name(command);
    let status = command.status().map_err(|error| format!("{name} cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} failed ({status}); what it printed above says why")) }
}

/// Runs a command of which the person sees only what it printed when it failed.
pub fn run_quietly(command: &mut Command) -> Done {
    command.current_dir(root()).stdin(Stdio::null());
    let name = name(command);
    let output = command.output().map_err(|error| format!("{name} cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    eprintln!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{name} failed ({}); what it printed above says why", output.status))
}

/// What a command prints.
pub fn output(command: &mut Command) -> Done<String> {
    command.current_dir(root()).stdin(Stdio::null()).stderr(Stdio::inherit());
    let name = name(command);
    let output = command.output().map_err(|error| format!("{name} cannot be started: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{name} failed ({}); what it printed above says why", output.status))
    }
}

/// Does `aside` on a second thread while `main` runs; the first failure counts.
pub fn meanwhile(aside: impl FnOnce() -> Done + Send, main: impl FnOnce() -> Done) -> Done {
    thread::scope(|scope| {
        let aside = scope.spawn(aside);
        let done = main();
        let other = aside.join().unwrap_or_else(|_| Err("a step running aside panicked".into()));
        done.and(other)
    })
}

/// The command as a person would type it, without its full path.
fn name(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| format!(" {}", argument.to_string_lossy()));
    format!("`{program}{}`", arguments.collect::<String>())
}
