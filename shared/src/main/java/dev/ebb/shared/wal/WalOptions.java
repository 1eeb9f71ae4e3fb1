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
 * @param framesOnly records are found and checked, but not taken apart: {@link WalRecord#takeApart}
 *     does that for those that matter. What is inside of a record depends on the version, so only
 *     such a reader can do without knowing it
 */
public record WalOptions(
    int segmentBytes, @Nullable WalVersion version, int keptBytes, boolean framesOnly) {
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
    return new WalOptions(segmentBytes, null, DEFAULT_KEPT_BYTES, false);
  }

  /** The same, but only WAL of this version is right. */
  public WalOptions with(WalVersion version) {
    return new WalOptions(segmentBytes, version, keptBytes, framesOnly);
  }

  /** The same, with another bound to what is kept of a record. */
  public WalOptions keeping(int keptBytes) {
    return new WalOptions(segmentBytes, version, keptBytes, framesOnly);
  }

  /** The same, of records' frames: a page's length of each is kept. */
  public WalOptions ofFrames() {
    return new WalOptions(segmentBytes, version, WalFormat.PAGE_BYTES, true);
  }
}
