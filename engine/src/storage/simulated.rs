//! A disk in memory that fails or loses power when a test says so, and then forgets what was not flushed.

use super::{Entry, Storage, StorageFile};
use crate::clock::lock;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What happens to an operation on a [`SimulatedDisk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It does nothing and gives this error; the next one works again.
    Fails(io::ErrorKind),
    /// It happens or not, whole or in part; it and all after it fail, until [`SimulatedDisk::restart`].
    PowerCut,
}

/// A disk in memory. Clones are the same disk.
///
/// After a power cut, a file has what was flushed and any part of what was written behind that; a directory has the names as they
/// were at its last flush or after any later change, and all changes before that one. Which of these it is, the seed decides.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

type Names = BTreeMap<OsString, usize>;

enum Node {
    File {
        bytes: Vec<u8>,
        flushed_bytes: usize,
    },
    /// The names as flushed, then after each change since. Never empty.
    Directory(Vec<Names>),
}

struct State {
    /// Never shrinks; the first is the root.
    nodes: Vec<Node>,
    operations: u64,
    trouble: Option<(u64, Trouble)>,
    has_power: bool,
    random: u64,
}

const ROOT: usize = 0;

impl SimulatedDisk {
    /// An empty disk; the seed decides what a power cut leaves.
    pub fn new(seed: u64) -> Self {
        let nodes = vec![Node::Directory(vec![Names::new()])];
        let state = State { nodes, operations: 0, trouble: None, has_power: true, random: seed };
        SimulatedDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// Lets something happen to the operation of this number, which counts from 0 over the life of the disk.
    pub fn trouble_at(&self, operation: u64, trouble: Trouble) {
        lock(&self.state).trouble = Some((operation, trouble));
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        lock(&self.state).operations
    }

    /// Power is lost, if it was not, and comes back: what was not flushed may be gone.
    pub fn restart(&self) {
        let mut state = lock(&self.state);
        state.forget();
        state.has_power = true;
        state.trouble = None;
    }

    /// All that is there: directories as `None`, files with their bytes. Paths are relative to the root.
    pub fn tree(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut tree = BTreeMap::new();
        lock(&self.state).collect(ROOT, Path::new(""), &mut tree);
        tree
    }

    fn act<T>(&self, operation: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = lock(&self.state);
        if !state.has_power {
            return Err(no_power());
        }
        let number = state.operations;
        state.operations += 1;
        match state.trouble.filter(|(at, _)| *at == number) {
            None => operation(&mut state),
            Some((_, Trouble::Fails(kind))) => Err(kind.into()),
            Some((_, Trouble::PowerCut)) => {
                if state.below(2) == 0 {
                    // Done, but nobody is told.
                    let _ = operation(&mut state);
                }
                state.has_power = false;
                Err(no_power())
            }
        }
    }
}

fn no_power() -> io::Error {
    io::Error::other("the simulated disk has no power")
}

impl State {
    /// A number below `end`, by splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    fn below(&mut self, end: usize) -> usize {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn forget(&mut self) {
        for index in 0..self.nodes.len() {
            let versions = match &self.nodes[index] {
                Node::File { bytes, flushed_bytes } => bytes.len() - flushed_bytes + 1,
                Node::Directory(versions) => versions.len(),
            };
            let kept = self.below(versions);
            match &mut self.nodes[index] {
                Node::File { bytes, flushed_bytes } => {
                    *flushed_bytes += kept;
                    bytes.truncate(*flushed_bytes);
                }
                Node::Directory(versions) => *versions = vec![versions.swap_remove(kept)],
            }
        }
    }

    fn collect(&self, node: usize, path: &Path, tree: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
        match &self.nodes[node] {
            Node::File { bytes, .. } => drop(tree.insert(path.to_owned(), Some(bytes.clone()))),
            Node::Directory(_) => {
                if node != ROOT {
                    tree.insert(path.to_owned(), None);
                }
                self.names(node).into_iter().flatten().for_each(|(name, node)| {
                    self.collect(*node, &path.join(name), tree);
                });
            }
        }
    }

    /// The names in a directory; `None` if it is a file.
    fn names(&self, node: usize) -> Option<&Names> {
        match &self.nodes[node] {
            Node::File { .. } => None,
            Node::Directory(versions) => versions.last(),
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        plain(path).iter().try_fold(ROOT, |node, name| {
            let names = self.names(node).ok_or(io::ErrorKind::NotADirectory)?;
            names.get(*name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    fn find_if_there(&self, path: &Path) -> io::Result<Option<usize>> {
        match self.find(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    /// The directory that a path is in, and its name there.
    fn place<'p>(&self, path: &'p Path) -> io::Result<(usize, &'p OsStr)> {
        let mut names = plain(path);
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let directory = self.find(&names.iter().collect::<PathBuf>())?;
        self.names(directory).ok_or(io::ErrorKind::NotADirectory)?;
        Ok((directory, name))
    }

    /// Changes the names in a directory, in one step.
    fn change(&mut self, directory: usize, change: impl FnOnce(&mut Names)) {
        if let Node::Directory(versions) = &mut self.nodes[directory] {
            let mut names = versions.last().cloned().unwrap_or_default();
            change(&mut names);
            versions.push(names);
        }
    }

    fn create(&mut self, path: &Path, node: Node) -> io::Result<usize> {
        let (directory, name) = self.place(path)?;
        if self.names(directory).is_some_and(|names| names.contains_key(name)) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let created = self.nodes.len();
        self.nodes.push(node);
        self.change(directory, |names| {
            names.insert(name.to_owned(), created);
        });
        Ok(created)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let moved = self.find(from)?;
        let is_directory = self.names(moved).is_some();
        match self.find_if_there(to)?.map(|there| self.names(there)) {
            Some(None) if is_directory => return Err(io::ErrorKind::NotADirectory.into()),
            Some(Some(_)) if !is_directory => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Some(names)) if !names.is_empty() => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
            _ => {}
        }
        let ((source, old_name), (target, new_name)) = (self.place(from)?, self.place(to)?);
        if source != target {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "simulated renames stay in their directory"));
        }
        self.change(source, |names| {
            names.remove(old_name);
            names.insert(new_name.to_owned(), moved);
        });
        Ok(())
    }
}

/// The names of a path; there are no links, so that `..` is the name before it.
fn plain(path: &Path) -> Vec<&OsStr> {
    path.components().fold(Vec::new(), |mut names, component| {
        match component {
            Component::Normal(name) => names.push(name),
            Component::ParentDir => drop(names.pop()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
        names
    })
}

impl Storage for SimulatedDisk {
    fn entry(&self, path: &Path) -> io::Result<Option<Entry>> {
        self.act(|state| {
            let node = state.find_if_there(path)?;
            Ok(node.map(|node| if state.names(node).is_some() { Entry::Directory } else { Entry::File }))
        })
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.act(|state| state.create(path, Node::Directory(vec![Names::new()])).map(drop))
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let file = self.act(|state| state.create(path, Node::File { bytes: Vec::new(), flushed_bytes: 0 }))?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        self.act(|state| match &state.nodes[state.find(path)?] {
            Node::File { bytes, .. } => Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn io::Read + Send>),
            Node::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        })
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.act(|state| {
            let directory = state.find(path)?;
            match &mut state.nodes[directory] {
                Node::Directory(versions) => versions.drain(..versions.len() - 1).for_each(drop),
                Node::File { .. } => return Err(io::ErrorKind::NotADirectory.into()),
            }
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.act(|state| state.rename(from, to))
    }

    /// Every name is an operation of its own, so that trouble can come in the middle.
    fn remove(&self, path: &Path) -> io::Result<()> {
        let Some(names) = self.act(|state| {
            let node = state.find_if_there(path)?;
            Ok(node.map(|node| state.names(node).cloned().unwrap_or_default()))
        })?
        else {
            return Ok(());
        };
        names.keys().try_for_each(|name| self.remove(&path.join(name)))?;
        self.act(|state| {
            let (directory, name) = state.place(path)?;
            state.change(directory, |names| {
                names.remove(name);
            });
            Ok(())
        })
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

impl io::Write for SimulatedFile {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        self.disk.act(|state| {
            if let Node::File { bytes, .. } = &mut state.nodes[self.file] {
                bytes.extend_from_slice(written);
            }
            Ok(written.len())
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StorageFile for SimulatedFile {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.act(|state| {
            if let Node::File { bytes, flushed_bytes } = &mut state.nodes[self.file] {
                *flushed_bytes = bytes.len();
            }
            Ok(())
        })
    }
}
