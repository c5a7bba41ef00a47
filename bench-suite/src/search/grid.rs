//! Which settings a search may try: axes of knobs, and the cells of their grid.

use crate::failure::Failure;
use crate::settings::{Resolved, TrialSettings, knobs};
use downbeat_engine::settings::{KnobKind, suggest};
use std::collections::BTreeMap;

/// Cells of a grid, at most: more would take days, and the mistake is better told at once.
const CELLS_MOST: usize = 10_000;

/// Knobs that say how long and how to measure: changing them changes the ruler.
const RULERS: [&str; 7] = ["batches", "duration", "warmup", "max_time", "profile_hz", "trial_samples", "late_limit"];

/// One knob with the values that it may take, each as it is printed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The knob's name.
    pub knob: &'static str,
    /// Its values.
    pub values: Vec<String>,
}

/// One setting of all axes: the value of each, in their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Index of each axis's value.
    pub levels: Vec<usize>,
}

/// All cells that can be run.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The axes.
    pub axes: Vec<Axis>,
    /// The cells.
    pub cells: Vec<Cell>,
    /// Cells that contradict themselves, in words, with the reason.
    pub refused: Vec<(String, String)>,
    base: TrialSettings,
}

/// How the cells are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Every combination.
    Full,
    /// The base, and each other value alone.
    OneAtATime,
}

impl Axis {
    /// Reads `knob=value,value,…`, or `knob=*` for all values of a choice.
    ///
    /// # Errors
    /// No such knob, a value that it cannot take, or one that is there twice.
    pub fn parse(text: &str) -> Result<Axis, Failure> {
        let refuse = |why: String| Failure::usage(format!("--vary {text}: {why}"));
        let Some((name, values)) = text.split_once('=') else {
            return Err(refuse("there is no `=`".into()).help("write for example --vary codec=none,rkyv"));
        };
        let known = knobs();
        let wanted = name.trim().replace('-', "_");
        let Some(knob) = known.iter().find(|knob| knob.name == wanted) else {
            let meant = suggest(&wanted, known.iter().map(|knob| knob.name));
            let meant = meant.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
            return Err(refuse(format!("unknown setting `{}`{meant}", name.trim())).help("downbeat list knobs"));
        };
        if RULERS.contains(&knob.name) {
            return Err(refuse("it says how to measure, not what".into()).help("set it once, for all trials"));
        }
        let values: Vec<String> = match (values.trim(), knob.kind) {
            ("*", KnobKind::Choice(words)) => words.iter().map(|word| (*word).to_owned()).collect(),
            ("*", _) => return Err(refuse("`*` stands for the values of a choice, and this is none".into())),
            (listed, _) => split(listed).into_iter().map(str::to_owned).collect(),
        };
        let mut printed: Vec<String> = Vec::new();
        for value in &values {
            let mut settings = TrialSettings::default();
            settings.set(knob.name, value).map_err(|error| refuse(error.to_string()))?;
            let value = settings.values().remove(knob.name).unwrap_or_else(|| value.clone());
            if printed.contains(&value) {
                return Err(refuse(format!("{value} is there twice")));
            }
            printed.push(value);
        }
        Ok(Axis { knob: knob.name, values: printed })
    }
}

/// At commas outside of brackets: `ramp(0.5,1.5),constant` are two values.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

impl Grid {
    /// The cells of these axes over the settings that were resolved; `check` says whether one can be run.
    ///
    /// # Errors
    /// An axis twice, too many cells, or no cell that can be run.
    pub fn new(
        axes: Vec<Axis>,
        resolved: &Resolved,
        shape: Shape,
        check: impl Fn(&TrialSettings) -> Result<(), Failure>,
    ) -> Result<Grid, Failure> {
        for (index, axis) in axes.iter().enumerate() {
            if axes[..index].iter().any(|other| other.knob == axis.knob) {
                return Err(Failure::usage(format!("--vary gives {} twice", axis.knob)).help("list all values once"));
            }
        }
        let count = axes.iter().fold(1_usize, |count, axis| count.saturating_mul(axis.values.len()));
        if count > CELLS_MOST && shape == Shape::Full {
            let message = format!("the grid has {count} cells");
            return Err(Failure::usage(message).help("vary fewer values, or use --one-at-a-time"));
        }
        let mut grid = Grid { axes, cells: Vec::new(), refused: Vec::new(), base: resolved.settings.clone() };
        let candidates = match shape {
            Shape::Full => grid.all(),
            Shape::OneAtATime => grid.one_at_a_time()?,
        };
        for cell in candidates {
            match check(&grid.settings(&cell)) {
                Ok(()) => grid.cells.push(cell),
                Err(failure) => grid.refused.push((grid.words(&cell), failure.message)),
            }
        }
        match (grid.cells.is_empty(), grid.refused.first()) {
            (true, Some((cell, why))) => Err(Failure::usage(format!("no cell can be run; the first is {cell}: {why}"))),
            _ => Ok(grid),
        }
    }

    fn all(&self) -> Vec<Cell> {
        let mut cells = vec![Cell { levels: Vec::new() }];
        for axis in &self.axes {
            let longer = |cell: &Cell| {
                let levels = cell.levels.clone();
                (0..axis.values.len())
                    .map(move |level| Cell { levels: [&levels[..], &[level]].concat() })
                    .collect::<Vec<_>>()
            };
            cells = cells.iter().flat_map(longer).collect();
        }
        cells
    }

    /// The base must be among the values of each axis: what else would a change be compared with?
    fn one_at_a_time(&self) -> Result<Vec<Cell>, Failure> {
        let base = self.base_cell().ok_or_else(|| {
            let values = self.base.values();
            let missing = self.axes.iter().find(|axis| !axis.values.contains(&values[axis.knob]));
            let (knob, value) = missing.map_or(("", ""), |axis| (axis.knob, values[axis.knob].as_str()));
            Failure::usage(format!("--vary {knob} leaves out today's value {value}"))
                .help("with --one-at-a-time each change is compared with it: list it too")
        })?;
        let mut cells = vec![base.clone()];
        for (place, axis) in self.axes.iter().enumerate() {
            for level in (0..axis.values.len()).filter(|level| *level != base.levels[place]) {
                let mut levels = base.levels.clone();
                levels[place] = level;
                cells.push(Cell { levels });
            }
        }
        Ok(cells)
    }

    /// The cell of the settings as they are, if each of its values is on its axis.
    pub fn base_cell(&self) -> Option<Cell> {
        let values = self.base.values();
        let level = |axis: &Axis| axis.values.iter().position(|value| Some(value) == values.get(axis.knob));
        Some(Cell { levels: self.axes.iter().map(level).collect::<Option<Vec<_>>>()? })
    }

    /// All settings of a cell.
    pub fn settings(&self, cell: &Cell) -> TrialSettings {
        let mut settings = self.base.clone();
        for (axis, level) in self.axes.iter().zip(&cell.levels) {
            // Each value was set once when the axis was read.
            let _ = settings.set(axis.knob, &axis.values[*level]);
        }
        settings
    }

    /// The values of a cell by knob.
    pub fn values(&self, cell: &Cell) -> BTreeMap<String, String> {
        let of = |(axis, level): (&Axis, &usize)| (axis.knob.to_owned(), axis.values[*level].clone());
        self.axes.iter().zip(&cell.levels).map(of).collect()
    }

    /// The cell in words: `codec=rkyv threads=2`.
    pub fn words(&self, cell: &Cell) -> String {
        let of = |(axis, level): (&Axis, &usize)| format!("{}={}", axis.knob, axis.values[*level]);
        self.axes.iter().zip(&cell.levels).map(of).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved() -> Resolved {
        Resolved { settings: TrialSettings::default(), origins: BTreeMap::new() }
    }

    fn axes(texts: &[&str]) -> Vec<Axis> {
        texts.iter().map(|text| Axis::parse(text).unwrap_or_else(|error| panic!("{error}"))).collect()
    }

    fn grid(texts: &[&str], shape: Shape) -> Result<Grid, Failure> {
        Grid::new(axes(texts), &resolved(), shape, |settings| Ok(settings.engine.validate()?))
    }

    #[test]
    fn a_grid_has_every_combination_once() {
        let grid = grid(&["codec=none,rkyv,json", "threads=1,2", "pool=*"], Shape::Full).unwrap();
        assert_eq!(grid.cells.len(), 3 * 2 * 3);
        let words: std::collections::BTreeSet<String> = grid.cells.iter().map(|cell| grid.words(cell)).collect();
        assert_eq!(words.len(), 18);
        assert!(words.contains("codec=rkyv threads=2 pool=pinned"));
        let settings = grid.settings(&Cell { levels: vec![2, 1, 0] });
        assert_eq!((settings.values()["codec"].as_str(), settings.engine.threads), ("json", 2));
    }

    #[test]
    fn one_at_a_time_changes_one_value_of_today_s_setting() {
        let grid = grid(&["codec=none,rkyv,json", "pool=pinned,rayon"], Shape::OneAtATime).unwrap();
        let words: Vec<String> = grid.cells.iter().map(|cell| grid.words(cell)).collect();
        let expected =
            ["codec=none pool=rayon", "codec=rkyv pool=rayon", "codec=json pool=rayon", "codec=none pool=pinned"];
        assert_eq!(words, expected);
        let error = self::grid(&["codec=rkyv,json"], Shape::OneAtATime).unwrap_err();
        assert!(error.message.contains("leaves out today's value none"), "{error}");
    }

    #[test]
    fn cells_that_contradict_themselves_are_left_out_with_the_reason() {
        let grid = grid(&["interval=10ms,1500us,20ms"], Shape::Full).unwrap();
        assert_eq!((grid.cells.len(), grid.refused.len()), (2, 1));
        assert!(grid.refused[0].0.contains("interval") && grid.refused[0].1.contains("whole number of milliseconds"));
        let error = self::grid(&["interval=1500us"], Shape::Full).unwrap_err();
        assert!(error.message.contains("no cell can be run"), "{error}");
    }

    #[test]
    fn axes_that_cannot_be_read_say_why() {
        let refused = |text: &str| Axis::parse(text).expect_err(text).to_string();
        assert!(refused("codec").contains("no `=`"));
        assert!(refused("codek=none").contains("did you mean `codec`?"));
        assert!(refused("codec=none,rykv").contains("did you mean `rkyv`?"));
        assert!(refused("codec=none,none").contains("twice"));
        assert!(refused("threads=*").contains("choice"));
        assert!(refused("interval=200").contains("no unit"));
        assert!(refused("batches=10,20").contains("how to measure"));
        let twice = Grid::new(axes(&["codec=none", "codec=rkyv"]), &resolved(), Shape::Full, |_| Ok(()));
        assert!(twice.unwrap_err().message.contains("twice"));
        let values: Vec<String> = (1..=400).map(|value| value.to_string()).collect();
        let wide = [format!("threads={}", values.join(",")), format!("partitions={}", values.join(","))];
        let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
        assert!(grid(&wide, Shape::Full).unwrap_err().message.contains("160000 cells"));
    }

    #[test]
    fn values_with_brackets_stay_whole() {
        assert_eq!(split("ramp(0.5,1.5), constant"), ["ramp(0.5,1.5)", "constant"]);
    }
}
