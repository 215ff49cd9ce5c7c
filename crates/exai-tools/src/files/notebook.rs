//! Notebooks (`.ipynb`) as what somebody wrote into them: cells in their order. What running
//! them left behind (pictures, tables, whole data sets) is cut, and counted.

use serde::Deserialize;
use std::fmt::Write as _;

#[derive(Deserialize)]
struct Notebook {
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(default)]
    cell_type: String,
    #[serde(default)]
    source: Source,
    #[serde(default)]
    outputs: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    Lines(Vec<String>),
    Text(String),
}

impl Default for Source {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// Whether a file of this name is one.
pub(super) fn is(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".ipynb")
}

/// Its cells, and what was left out.
pub(super) fn cells(text: &str) -> Result<(String, String), String> {
    let notebook: Notebook = serde_json::from_str(text)
        .map_err(|error| format!("it is called .ipynb and is no notebook ({error})"))?;
    let (mut cells, mut outputs) = (String::new(), 0);
    for (at, cell) in notebook.cells.iter().enumerate() {
        let kind = super::plain(&cell.cell_type);
        let _ = write!(cells, "# cell {}: {kind}", at + 1);
        outputs += cell.outputs.len();
        if !cell.outputs.is_empty() {
            let _ = write!(cells, ", {} outputs left out", cell.outputs.len());
        }
        cells.push('\n');
        match &cell.source {
            Source::Lines(lines) => lines.iter().for_each(|line| cells.push_str(line)),
            Source::Text(text) => cells.push_str(text),
        }
        cells.push_str("\n\n");
    }
    let aside = format!("{} cells, {outputs} outputs left out", notebook.cells.len());
    Ok((cells, aside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stay_and_outputs_go() {
        let text = r#"{"cells":[{"cell_type":"markdown","source":"Title"},{"cell_type":"code","source":["a = 1\n","a"],"outputs":[{"data":{"image/png":"AAAA"}}]}],"nbformat":4}"#;
        let (cells, aside) = cells(text).unwrap();
        assert_eq!(
            cells,
            "# cell 1: markdown\nTitle\n\n# cell 2: code, 1 outputs left out\na = 1\na\n\n"
        );
        assert_eq!(aside, "2 cells, 1 outputs left out");
        assert!(super::cells("{}").is_err());
    }
}
