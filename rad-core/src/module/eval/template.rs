//! String templates: interpolations, `%{if}`, `%{for}` and the `~` that strips white space.

use hcl_edit::template::{Directive, Element, ForDirective, IfDirective, Strip, Template};

use super::{Fault, Outcome, Scope, evaluate, pairs, text, truth};
use crate::module::value::Value;

/// The value of a quoted template: a lone interpolation keeps its type, anything else is a string.
pub(super) fn evaluate_template(template: &Template, scope: &mut Scope<'_>) -> Outcome {
    if let Some(Element::Interpolation(only)) = template.as_single_element() {
        return evaluate(&only.expr, scope);
    }
    render(template, scope).map(Value::String)
}

/// The value of a heredoc, which is a string even if it is a lone interpolation.
pub(super) fn evaluate_heredoc(template: &Template, scope: &mut Scope<'_>) -> Outcome {
    render(template, scope).map(Value::String)
}

fn render(template: &Template, scope: &mut Scope<'_>) -> Result<String, Fault> {
    let mut output = String::new();
    // Whether the element before asked for the white space that follows it to go.
    let mut strip = false;
    for element in template.iter() {
        if strips_before(element) {
            output.truncate(output.trim_end().len());
        }
        match element {
            Element::Literal(literal) => {
                output.push_str(if strip { literal.trim_start() } else { literal });
            }
            Element::Interpolation(part) => output.push_str(&text(evaluate(&part.expr, scope)?)?),
            Element::Directive(directive) => match directive.as_ref() {
                Directive::If(choice) => output.push_str(&render_if(choice, scope)?),
                Directive::For(repetition) => output.push_str(&render_for(repetition, scope)?),
            },
        }
        strip = strips_after(element);
        scope.spend(1 + (output.len() / 16) as u64)?;
    }
    Ok(output)
}

fn render_if(choice: &IfDirective, scope: &mut Scope<'_>) -> Result<String, Fault> {
    let condition = truth(evaluate(&choice.if_expr.cond_expr, scope)?)?;
    let end = choice.endif_expr.strip;
    match (&choice.else_expr, condition) {
        (Some(other), true) => {
            inside(render(&choice.if_expr.template, scope)?, choice.if_expr.strip, other.strip)
        }
        (None, true) => inside(render(&choice.if_expr.template, scope)?, choice.if_expr.strip, end),
        (Some(other), false) => inside(render(&other.template, scope)?, other.strip, end),
        (None, false) => Ok(String::new()),
    }
}

fn render_for(repetition: &ForDirective, scope: &mut Scope<'_>) -> Result<String, Fault> {
    let intro = &repetition.for_expr;
    let collection = evaluate(&intro.collection_expr, scope)?;
    let key_name = intro.key_var.as_ref().map(|name| name.as_str());
    let mut output = String::new();
    for (key, value) in pairs(collection)? {
        let mut inner = scope.with(key_name, key, intro.value_var.as_str(), value);
        let body = render(&intro.template, &mut inner)?;
        output.push_str(&inside(body, intro.strip, repetition.endfor_expr.strip)?);
        scope.spend(1 + (output.len() / 16) as u64)?;
    }
    Ok(output)
}

/// What stands between two directives, stripped as they ask for.
fn inside(body: String, before: Strip, after: Strip) -> Result<String, Fault> {
    let body = if before.strip_end() { body.trim_start().to_owned() } else { body };
    Ok(if after.strip_start() { body.trim_end().to_owned() } else { body })
}

fn strips_before(element: &Element) -> bool {
    match element {
        Element::Literal(_) => false,
        Element::Interpolation(part) => part.strip.strip_start(),
        Element::Directive(directive) => match directive.as_ref() {
            Directive::If(choice) => choice.if_expr.strip.strip_start(),
            Directive::For(repetition) => repetition.for_expr.strip.strip_start(),
        },
    }
}

fn strips_after(element: &Element) -> bool {
    match element {
        Element::Literal(_) => false,
        Element::Interpolation(part) => part.strip.strip_end(),
        Element::Directive(directive) => match directive.as_ref() {
            Directive::If(choice) => choice.endif_expr.strip.strip_end(),
            Directive::For(repetition) => repetition.endfor_expr.strip.strip_end(),
        },
    }
}
