package dev.ebb.shared.store;

/**
 * What an S3 object's {@link ObjectStore.Version} is made of.
 *
 * @param etag what {@code If-Match} takes
 */
record S3Version(String etag, WriteHistory history) {
  private static final char SEPARATOR = '!';

  /** Matches no object. */
  private static final String NO_ETAG = "0".repeat(32);

  /** Of a write that happened and is overwritten already. */
  static S3Version gone(WriteHistory history) {
    return new S3Version(NO_ETAG, history);
  }

  static S3Version parse(ObjectStore.Version version) {
    String tag = version.tag();
    int separator = tag.indexOf(SEPARATOR);
    return separator < 0
        ? new S3Version(tag, WriteHistory.UNKNOWN)
        : new S3Version(
            tag.substring(0, separator), WriteHistory.parse(tag.substring(separator + 1)));
  }

  ObjectStore.Version version() {
    return new ObjectStore.Version(
        history.equals(WriteHistory.UNKNOWN) ? etag : etag + SEPARATOR + history.text());
  }
}
