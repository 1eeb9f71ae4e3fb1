package dev.ebb.shared.wal;

import org.jspecify.annotations.Nullable;

/**
 * What a reader has to know about the WAL before it sees any.
 *
 * @param segmentBytes {@code wal_segment_size}: a power of two from 1 MB to 1 GB
 * @param version what wrote it; null where the first page's header is to tell
 * @param keptBytes of a longer record only so many bytes from its start are kept in memory, enough
 *     for its block references. It is checked all the same; asking for a part that was not kept is
 *     an error. At least 8192
 */
public record WalOptions(int segmentBytes, @Nullable WalVersion version, int keptBytes) {
  /** Of records longer than a page, most are of some pages' images: 300 kB at most. */
  public static final int DEFAULT_KEPT_BYTES = 16 << 20;

  public WalOptions {
    if (Integer.bitCount(segmentBytes) != 1 || segmentBytes < 1 << 20 || segmentBytes > 1 << 30) {
      throw new IllegalArgumentException("not a WAL segment size: " + segmentBytes);
    }
    if (keptBytes < WalFormat.PAGE_BYTES) {
      throw new IllegalArgumentException("too few bytes of a record are kept: " + keptBytes);
    }
  }

  /** WAL in segments of this size, of whichever version. */
  public static WalOptions ofSegments(int segmentBytes) {
    return new WalOptions(segmentBytes, null, DEFAULT_KEPT_BYTES);
  }

  /** The same, but only WAL of this version is right. */
  public WalOptions with(WalVersion version) {
    return new WalOptions(segmentBytes, version, keptBytes);
  }

  /** The same, with another bound to what is kept of a record. */
  public WalOptions keeping(int keptBytes) {
    return new WalOptions(segmentBytes, version, keptBytes);
  }
}
