//! The edge, spoken to over memory by raw WebSocket peers: what is sent and answered is
//! compared as text, because the text is the contract.

#[cfg(test)]
mod behind;
mod bytes;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod features;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod house;
#[cfg(test)]
mod large;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod partings;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod tcp;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod v1;
