//! The icons of the navigation: line drawings of our own, coloured by the text around them.

macro_rules! svg {
    ($($path:literal)*) => {
        concat!(
            r#"<svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.6" "#,
            r#"stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">"#,
            $(r#"<path d=""#, $path, r#""/>"#,)*
            "</svg>"
        )
    };
}

/// The drawing for a section, as SVG.
pub(crate) fn icon(section: &str) -> &'static str {
    match section {
        "Deploy" => svg!("M12 3l8 4.5v9L12 21l-8-4.5v-9z" "M4 7.5l8 4.5 8-4.5" "M12 12v9"),
        "Deployments" => svg!("M4 6h16" "M4 12h16" "M4 18h10" "M18 16v5" "M15.5 18.5h5"),
        "Credits" => {
            svg!("M12 4c4.4 0 8 1.3 8 3s-3.6 3-8 3-8-1.3-8-3 3.6-3 8-3z" "M4 7v5c0 1.7 3.6 3 8 3s8-1.3 8-3V7" "M4 12v5c0 1.7 3.6 3 8 3s8-1.3 8-3v-5")
        }
        "Explore" => {
            svg!("M11 3.5l1.9 5.6 5.6 1.9-5.6 1.9L11 18.5l-1.9-5.6L3.5 11l5.6-1.9z" "M18.5 15.5v5" "M16 18h5")
        }
        "Publish" => {
            svg!("M12 15V4" "M7.5 8.5L12 4l4.5 4.5" "M5 14v4.5A1.5 1.5 0 006.5 20h11a1.5 1.5 0 001.5-1.5V14")
        }
        "Revenue" => svg!("M4 20V4" "M4 20h16" "M8 16l4-5 3 3 5-7"),
        "Users" => {
            svg!("M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7z" "M2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6" "M16 4.5a3.5 3.5 0 010 6.5" "M18 14.5c2.2.8 3.5 2.8 3.5 5.5")
        }
        "Settings" => svg!("M4 7h9" "M17 7h3" "M15 5v4" "M4 17h3" "M11 17h9" "M9 15v4" "M4 12h16"),
        "Notices" => svg!("M6 17V11a6 6 0 0112 0v6" "M4 17h16" "M10 20.5h4"),
        _ => svg!("M12 12a4 4 0 100-8 4 4 0 000 8z" "M4.5 20.5c0-4 3.4-6.5 7.5-6.5s7.5 2.5 7.5 6.5"),
    }
}
