//! format=flowed (RFC 3676): lines that were broken for transport are joined again.

/// The text with its paragraphs whole. Quote marks stay before each paragraph.
pub(super) fn unflow(text: &str, delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    // Depth of the paragraph that is open, whose last line ended in a soft break.
    let mut open: Option<usize> = None;
    let mut first = true;
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let depth = line.bytes().take_while(|byte| *byte == b'>').count();
        let content = &line[depth..];
        let content = content.strip_prefix(' ').unwrap_or(content);
        let signature = content == "-- ";
        if open != Some(depth) || signature {
            if !first {
                out.push('\n');
            }
            out.extend(std::iter::repeat_n('>', depth));
            if depth > 0 && !content.is_empty() {
                out.push(' ');
            }
        }
        let soft = content.ends_with(' ') && !signature;
        out.push_str(if soft && delsp { &content[..content.len() - 1] } else { content });
        open = soft.then_some(depth);
        first = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs() {
        for (flowed, delsp, text) in [
            ("one \ntwo\nthree", false, "one two\nthree"),
            ("one \r\ntwo\r\nthree\r\n", false, "one two\nthree\n"),
            ("one \ntwo", true, "onetwo"),
            (" >stuffed\n From here", false, ">stuffed\nFrom here"),
            ("> a \n> b\n>> c \nd", false, "> a b\n>> c \nd"),
            ("text \n-- \nAnn", false, "text \n-- \nAnn"),
            ("a\n\nb", false, "a\n\nb"),
            ("\na", false, "\na"),
            ("", false, ""),
        ] {
            assert_eq!(unflow(flowed, delsp), text, "{flowed:?}");
        }
    }
}
