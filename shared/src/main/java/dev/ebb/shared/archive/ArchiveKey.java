package dev.ebb.shared.archive;

import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.model.BranchId;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The name of an archive object, which says what it holds: {@code branches/ID/wal/TOPIC.FROM-TO},
 * the offsets as 16 hexadecimal digits. By name, the objects of a topic are in the order of their
 * records.
 *
 * @param topic tells the topic from others that the branch may have had
 * @param from the offset of the first record
 * @param to behind the last one
 */
public record ArchiveKey(BranchId branch, String topic, long from, long to) {
  private static final Pattern NAME =
      Pattern.compile(
          "branches/([a-z0-9]{1,40})/wal/([\\w-]{1,40})\\.([0-9a-f]{16})-([0-9a-f]{16})");

  public ArchiveKey {
    if (!topic.matches("[\\w-]{1,40}") || from < 0 || to <= from) {
      throw new IllegalArgumentException("no range of a topic: " + topic + " " + from + " " + to);
    }
  }

  /** What the keys of all of a branch's archive objects begin with. */
  public static String prefix(BranchId branch) {
    return BranchKeys.prefix(branch) + "wal/";
  }

  /** What those of one of its topics begin with. */
  public static String prefix(BranchId branch, String topic) {
    return prefix(branch) + topic + ".";
  }

  /** The key, if it is one. */
  public static Optional<ArchiveKey> parse(String key) {
    Matcher name = NAME.matcher(key);
    if (!name.matches()) {
      return Optional.empty();
    }
    long from = Long.parseUnsignedLong(name.group(3), 16);
    long to = Long.parseUnsignedLong(name.group(4), 16);
    return from < 0 || to <= from
        ? Optional.empty()
        : Optional.of(new ArchiveKey(new BranchId(name.group(1)), name.group(2), from, to));
  }

  @Override
  public String toString() {
    return "%s%016x-%016x".formatted(prefix(branch, topic), from, to);
  }
}
