//! The report for people at a terminal.

use std::borrow::Cow;
use std::io::{self, Write};

use rad_core::module::{Manifest, Metadata, SourceError, Variable};

use crate::report::{Report, Verdict, Whole};

/// Names longer than this do not push the next column of everybody else.
const WIDEST_NAME: usize = 32;
/// Longer default values are cut; the JSON document has them whole.
const LONGEST_DEFAULT: usize = 60;

/// Writes the report, free of control characters that module authors may have put into it.
pub(crate) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let prefix = match report.source.sub_dir.as_str() {
        "" => String::new(),
        sub_dir => format!("{sub_dir}/"),
    };
    for module in &report.modules {
        match &module.verdict {
            Verdict::Valid(Whole { manifest }) => write_manifest(out, manifest, &prefix)?,
            Verdict::Invalid { errors } => write_errors(out, &module.name, errors, &prefix)?,
        }
        writeln!(out)?;
    }
    let commit = report.source.commit.as_ref();
    let commit = commit.map(|commit| format!(" at {}", commit.short())).unwrap_or_default();
    let (modules, invalid) = (count(report.modules.len(), "module"), report.invalid());
    let variables = count(report.variables(), "variable");
    writeln!(out, "{}{commit}: {modules}, {invalid} invalid, {variables}", plain(&report.source.path))
}

/// The text on one line, runs of white space as one blank, other control characters and those that reorder text escaped.
pub(crate) fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            match character {
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    line.extend(character.escape_unicode());
                }
                _ if character.is_control() => line.extend(character.escape_unicode()),
                _ => line.push(character),
            }
        }
    }
    line
}

fn write_errors(out: &mut impl Write, name: &str, errors: &[SourceError], prefix: &str) -> io::Result<()> {
    writeln!(out, "{}: INVALID", plain(name))?;
    errors.iter().try_for_each(|error| writeln!(out, "  {}", plain(&format!("{prefix}{error}"))))
}

fn write_manifest(out: &mut impl Write, manifest: &Manifest, prefix: &str) -> io::Result<()> {
    writeln!(out, "{}", plain(&manifest.name))?;
    line(out, "  ", &manifest.description)?;
    line(out, "  ", &listing(&manifest.metadata))?;
    if let Some(constraint) = &manifest.required_version {
        line(out, "  terraform ", constraint)?;
    }
    write_variables(out, &manifest.variables)?;
    let outputs = manifest.outputs.iter().map(|output| {
        let sensitive = if output.sensitive { "(sensitive) " } else { "" };
        (output.name.as_str(), format!("{sensitive}{}", output.description))
    });
    write_pairs(out, "outputs", &outputs.collect::<Vec<_>>())?;
    let providers = manifest.required_providers.iter().map(|provider| {
        let parts = [provider.source.as_deref(), provider.constraint.as_deref()];
        (provider.name.as_str(), parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    });
    write_pairs(out, "providers", &providers.collect::<Vec<_>>())?;
    for warning in &manifest.warnings {
        let place = format!("{prefix}{}:{}: {}", warning.file, warning.line, warning.message);
        line(out, "  warning: ", &place)?;
    }
    Ok(())
}

fn write_variables(out: &mut impl Write, variables: &[Variable]) -> io::Result<()> {
    if variables.is_empty() {
        return writeln!(out, "  no variables");
    }
    writeln!(out, "  variables")?;
    let width = width(variables.iter().map(|variable| variable.name.as_str()));
    let indent = " ".repeat(4 + width + 2);
    for variable in variables {
        let (name, ty) = (plain(&variable.name), plain(&variable.ty.to_string()));
        writeln!(out, "    {name:width$}  {ty}, {}", presence(variable))?;
        line(out, &indent, &traits(variable).join(", "))?;
        line(out, &indent, &variable.description)?;
    }
    Ok(())
}

fn write_pairs(out: &mut impl Write, title: &str, pairs: &[(&str, String)]) -> io::Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {title}")?;
    let width = width(pairs.iter().map(|(name, _)| *name));
    for (name, text) in pairs {
        let row = format!("    {:width$}  {}", plain(name), plain(text));
        writeln!(out, "{}", row.trim_end())?;
    }
    Ok(())
}

/// `text` on a line of its own, unless there is none.
fn line(out: &mut impl Write, before: &str, text: &str) -> io::Result<()> {
    match plain(text).as_str() {
        "" => Ok(()),
        text => writeln!(out, "{before}{text}"),
    }
}

/// What the metadata variables say to the catalogue.
fn listing(metadata: &Metadata) -> String {
    let access = if metadata.public_access { "public" } else { "private" };
    let mut parts = vec![format!("{access}, costs {} credits", metadata.credit_cost)];
    if metadata.require_credit_purchases {
        parts.push("purchased credits only".to_owned());
    }
    if !metadata.dependencies.is_empty() {
        parts.push(format!("needs {}", metadata.dependencies.join(", ")));
    }
    parts.join(", ")
}

/// Whether a value must be given, and the one it has otherwise.
fn presence(variable: &Variable) -> Cow<'static, str> {
    match &variable.default {
        None if variable.default_in_source => "default in the source".into(),
        None => "required".into(),
        Some(_) if variable.sensitive => "default hidden".into(),
        Some(default) => {
            let text = plain(&default.to_string());
            match text.char_indices().nth(LONGEST_DEFAULT) {
                Some((end, _)) => format!("default {}…", text.get(..end).unwrap_or_default()).into(),
                None => format!("default {text}").into(),
            }
        }
    }
}

/// The flags and UI hints, in the words of the hints.
fn traits(variable: &Variable) -> Vec<String> {
    let hints = &variable.hints;
    let flags = [
        (variable.sensitive, "sensitive"),
        (!variable.nullable, "not nullable"),
        (variable.ephemeral, "ephemeral"),
        (hints.required, "required by the form"),
        (hints.update_safe, "updatesafe"),
    ];
    let mut traits: Vec<String> =
        flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name.to_owned()).collect();
    traits.extend(hints.group.map(|group| format!("group={group}")));
    traits.extend(hints.order.map(|order| format!("order={order}")));
    if !hints.options.is_empty() {
        traits.push(format!("options={}", hints.options.join(",")));
    }
    traits.extend(hints.depends_on.as_ref().map(|depends_on| format!("dependson={depends_on}")));
    if !variable.validations.is_empty() {
        traits.push(count(variable.validations.len(), "validation"));
    }
    traits
}

fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).filter(|width| *width <= WIDEST_NAME).max().unwrap_or(0)
}

fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(plain("a\n\t b"), "a b");
        assert_eq!(plain("\u{1b}[2J\u{7}x"), "\\u{1b}[2J\\u{7}x");
        assert_eq!(plain("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(plain("größer 日本"), "größer 日本");
    }
}
