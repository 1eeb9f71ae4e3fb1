package dev.ebb.walservice.topic;

/** A topic does not have the records any more that are read: what was before is archived. */
final class TrimmedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  TrimmedException(String message) {
    super(message);
  }
}
