//! Every test here goes through a front door: the real binaries, in a home of their own.

mod always_up;
mod daemon_files;
mod daemon_homes;
mod daemon_ports;
mod daemon_record;
mod daemon_single;
mod daemon_start;
mod daemon_stop;
mod editor;
mod security;
mod shim_absent;
mod shim_backoff;
mod shim_calls;
mod shim_cancel;
mod shim_ends;
mod shim_eras;
mod shim_kill;
mod shim_lines;
mod shim_link;
mod shim_list;
mod shim_many;
mod shim_progress;
mod shim_slow;
mod shim_stdout;
mod shim_stranger;
