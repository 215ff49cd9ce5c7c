//! Small scripts as agents.
