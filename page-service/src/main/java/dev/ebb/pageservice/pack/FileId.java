package dev.ebb.pageservice.pack;

import dev.ebb.shared.page.FileKey;
import java.util.Comparator;

/**
 * One life of a file: the same key with another incarnation is another file, whose pages are never
 * mixed with these.
 */
public record FileId(FileKey key, int incarnation) implements Comparable<FileId> {
  private static final Comparator<FileId> ORDER =
      Comparator.comparing(FileId::key).thenComparingInt(FileId::incarnation);

  @Override
  public int compareTo(FileId other) {
    return ORDER.compare(this, other);
  }

  @Override
  public String toString() {
    return key + " (incarnation " + incarnation + ")";
  }
}
