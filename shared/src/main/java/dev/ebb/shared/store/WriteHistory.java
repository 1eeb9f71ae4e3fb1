package dev.ebb.shared.store;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import okhttp3.Headers;

/**
 * Which writes made an object what it is, newest first, kept in its metadata. It answers what a
 * conditional write whose answer was lost cannot know otherwise: whether it happened, also where
 * somebody has written on top of it since.
 *
 * @param writes ids of writes
 * @param complete whether nothing was written before the last of them
 */
record WriteHistory(List<String> writes, boolean complete) {
  /** As {@code x-amz-meta-ebb-writes} on the wire. */
  private static final String HEADER = "x-amz-meta-ebb-writes";

  /** More than happen while one writer waits for an answer; S3 takes 2 kB of metadata. */
  private static final int MAX_WRITES = 100;

  private static final int ID_BYTES = 5;
  private static final String OLDER = "older";

  /** Of an object that somebody else wrote, or of which nothing is known. */
  static final WriteHistory UNKNOWN = new WriteHistory(List.of(), false);

  /** Before the first write. */
  static final WriteHistory NONE = new WriteHistory(List.of(), true);

  WriteHistory {
    writes = List.copyOf(writes);
  }

  static WriteHistory of(Headers headers) {
    String text = headers.get(HEADER);
    return text == null ? UNKNOWN : parse(text);
  }

  static WriteHistory parse(String text) {
    var writes = new ArrayList<>(List.of(text.split("\\.", -1)));
    writes.removeIf(String::isBlank);
    boolean complete = !writes.remove(OLDER);
    return new WriteHistory(writes, complete);
  }

  /** The id of a new write. */
  static String newId() {
    var id = new byte[ID_BYTES];
    ThreadLocalRandom.current().nextBytes(id);
    return HexFormat.of().formatHex(id);
  }

  /** With one write more. */
  WriteHistory with(String write) {
    var longer = new ArrayList<String>();
    longer.add(write);
    longer.addAll(writes.subList(0, Math.min(writes.size(), MAX_WRITES - 1)));
    return new WriteHistory(longer, complete && writes.size() < MAX_WRITES);
  }

  String text() {
    return String.join(".", writes) + (complete ? "" : "." + OLDER);
  }

  Map<String, String> headers() {
    return Map.of(HEADER, text());
  }

  /** What is known of a write. */
  enum Answer {
    /** It is the newest. */
    NEWEST,
    /** It happened, and others after it. */
    OVERWRITTEN,
    /** It did not happen: others did in its place. */
    NEVER,
    UNKNOWN
  }

  /** Whether {@code write}, which was to follow {@code before} directly, is among these. */
  Answer about(String write, WriteHistory before) {
    int at = writes.indexOf(write);
    if (at >= 0) {
      return at == 0 ? Answer.NEWEST : Answer.OVERWRITTEN;
    }
    boolean reachesBack =
        before.writes().isEmpty()
            ? before.complete() && complete
            : writes.contains(before.writes().getFirst());
    return reachesBack ? Answer.NEVER : Answer.UNKNOWN;
  }
}
