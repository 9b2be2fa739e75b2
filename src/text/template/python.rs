//! What transformers, and Python itself, give to chat templates beside Jinja.

use std::io;

use minijinja::value::Value;
use minijinja::{Environment, Error as Jinja, ErrorKind as JinjaKind, State};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use web_time::{SystemTime, UNIX_EPOCH};

/// Adds the functions, filters and methods.
pub fn give(environment: &mut Environment) {
    environment.add_function("raise_exception", |message: String| -> Result<Value, Jinja> {
        Err(Jinja::new(JinjaKind::InvalidOperation, message))
    });
    environment.add_function("strftime_now", |format: String| -> String {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        strftime(&format, since.map_or(0, |since| since.as_secs()))
    });
    environment.add_filter("tojson", tojson);
    environment.set_unknown_method_callback(method);
}

/// JSON as Python's `json.dumps(value, ensure_ascii=False)` spaces it, and nothing escaped for HTML.
fn tojson(value: Value) -> Result<String, Jinja> {
    let mut json = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut json, Spaced));
    let failed = |cause| Jinja::new(JinjaKind::BadSerialization, "a value is no JSON").with_source(cause);
    written.map_err(failed)?;
    Ok(String::from_utf8_lossy(&json).into_owned())
}

/// A space after each comma and colon.
struct Spaced;

impl Spaced {
    fn separate<W: ?Sized + io::Write>(writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }
}

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        Self::separate(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        Self::separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// 1 January 1970 was a Thursday.
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// The moment `seconds` after the beginning of 1970 in UTC, in the words of C's `strftime`; codes that no template uses stay
/// as they are.
fn strftime(format: &str, seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (month_name, day_name) = (MONTHS[month as usize - 1], DAYS[(days % 7) as usize]);
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('Y') => text += &year.to_string(),
            Some('y') => text += &format!("{:02}", year % 100),
            Some('m') => text += &format!("{month:02}"),
            Some('d') => text += &format!("{day:02}"),
            Some('B') => text += month_name,
            Some('b') => text += &month_name[..3],
            Some('A') => text += day_name,
            Some('a') => text += &day_name[..3],
            Some('H') => text += &format!("{:02}", of_day / 3600),
            Some('M') => text += &format!("{:02}", of_day / 60 % 60),
            Some('S') => text += &format!("{:02}", of_day % 60),
            Some('%') => text.push('%'),
            other => {
                text.push('%');
                text.extend(other);
            }
        }
    }
    text
}

/// Year, month and day of a day counted from 1 January 1970 (Howard Hinnant's `civil_from_days`): years begin in March, so that the
/// leap day is their last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// The methods of Python strings that published templates call.
fn method(_: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Jinja> {
    let unknown = || Jinja::new(JinjaKind::UnknownMethod, method.to_string());
    let text = value.as_str().ok_or_else(unknown)?;
    let argument = args.first().and_then(Value::as_str);
    let strips = |c: char| argument.map_or_else(|| c.is_whitespace(), |set| set.contains(c));
    match (method, argument) {
        ("strip", _) => Ok(text.trim_matches(strips).into()),
        ("lstrip", _) => Ok(text.trim_start_matches(strips).into()),
        ("rstrip", _) => Ok(text.trim_end_matches(strips).into()),
        ("startswith", Some(start)) => Ok(text.starts_with(start).into()),
        ("endswith", Some(end)) => Ok(text.ends_with(end).into()),
        ("split", Some(separator)) if !separator.is_empty() => Ok(text.split(separator).map(Value::from).collect()),
        ("upper", None) => Ok(text.to_uppercase().into()),
        ("lower", None) => Ok(text.to_lowercase().into()),
        ("capitalize", None) => {
            let mut letters = text.chars();
            let first = letters.next().map(char::to_uppercase).into_iter().flatten();
            Ok(first.chain(letters.flat_map(char::to_lowercase)).collect::<String>().into())
        }
        ("replace", Some(old)) => {
            let new = args.get(1).and_then(Value::as_str).ok_or_else(unknown)?;
            Ok(text.replace(old, new).into())
        }
        ("split", None) => Ok(text.split_whitespace().map(Value::from).collect()),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::strftime;

    #[test]
    fn days_have_their_names() {
        for (seconds, want) in [
            (0, "1970-01-01 Thu Jan 00:00:00"),
            (951_827_696, "2000-02-29 Tue Feb 12:34:56"),
            (1_735_689_599, "2024-12-31 Tue Dec 23:59:59"),
            (4_107_542_400, "2100-03-01 Mon Mar 00:00:00"),
        ] {
            assert_eq!(strftime("%Y-%m-%d %a %b %H:%M:%S", seconds), want);
        }
        assert_eq!(strftime("%d %B %y, %A, 100 %% %Q %", 951_827_696), "29 February 00, Tuesday, 100 % %Q %");
    }
}
