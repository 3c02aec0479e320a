//! Tests of the queue that need no connection.

use draftgate_core::Message;

use super::*;

#[test]
fn a_close_is_not_given_out_before_what_was_queued() {
    let queue = Queue::new(1000, Overflow::Close);
    queue.push(Message::from("last").into()).unwrap();
    queue.close(None);
    assert_eq!(queue.take_close(false), None);
    assert!(queue.pop().is_some());
    assert_eq!(queue.take_close(false), Some(requested()));
    assert_eq!(queue.take_close(false), None);
}

fn requested() -> Order {
    Order {
        words: Words::These(None),
        by: By::Us,
        why: Why::Requested,
    }
}

#[test]
fn a_close_that_cannot_wait_is_given_out_at_once() {
    let queue = Queue::new(1000, Overflow::Close);
    queue.push(Message::from("never sent").into()).unwrap();
    queue.close(None);
    assert_eq!(queue.take_close(true), Some(requested()));
}

#[test]
fn what_is_queued_keeps_no_read_buffer_alive() {
    let buffer = bytes::Bytes::from(vec![0; 65_536]);
    let queue = Queue::new(1000, Overflow::Close);
    let small = Message::Binary(buffer.slice(..10));
    queue.push(small.into()).unwrap();
    assert!(buffer.is_unique());
}
