//! The command as a user starts it. Answers and words are checked, never how fast this machine is.

mod allocations;
mod allocators;
mod answers;
mod causes;
mod cli;
mod command;
mod completions;
mod doctor;
mod faults;
mod gates;
mod goldens;
mod init;
mod overload;
mod protocol;
mod runs;
mod searches;
mod sending;
mod stored;
mod terminals;
