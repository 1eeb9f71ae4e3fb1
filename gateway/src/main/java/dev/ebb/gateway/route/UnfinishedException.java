package dev.ebb.gateway.route;

/**
 * What the client named is in the catalog, and its creation has not ended; perhaps nobody goes on
 * with it. The message is for the client: it says what to do.
 */
public final class UnfinishedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  UnfinishedException(String what, String dropping) {
    super(
        what
            + " is still being created: connect again in a moment; where its creation was"
            + " interrupted, drop it ("
            + dropping
            + ") and create it again",
        null,
        false,
        false);
  }
}
