package dev.ebb.shared.wal;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What {@code pg_waldump} should say about a record, and whether a line says it. */
final class WaldumpLine {
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSSSSS 'UTC'").withZone(ZoneOffset.UTC);
  private static final Pattern INVALIDATION =
      Pattern.compile("\\b(catcache|catalog|relcache|smgr|relmap|snapshot) ");

  private final StringBuilder text = new StringBuilder(200);

  /** Up to the name of the record. */
  private String start(WalRecord record) {
    text.setLength(0);
    text.append("rmgr: ").append(record.resourceManagerName());
    pad(17);
    text.append(" len (rec/tot): ");
    right(record.bytesWithoutImages(), 6);
    text.append('/');
    right(record.totalBytes(), 6);
    text.append(", tx: ");
    right(Integer.toUnsignedLong(record.xid()), 10);
    text.append(", lsn: ");
    lsn(record.start().value());
    text.append(", prev ");
    lsn(record.previous().value());
    return text.append(", desc: ").append(record.name()).append(' ').toString();
  }

  private void pad(int length) {
    while (text.length() < length) {
      text.append(' ');
    }
  }

  private void right(long number, int width) {
    String digits = Long.toString(number);
    text.repeat(" ", Math.max(0, width - digits.length())).append(digits);
  }

  private void lsn(long value) {
    text.append(Long.toHexString(value >>> 32).toUpperCase(java.util.Locale.ROOT)).append('/');
    String low = Long.toHexString(value & 0xFFFF_FFFFL).toUpperCase(java.util.Locale.ROOT);
    text.repeat("0", 8 - low.length()).append(low);
  }

  /** The references to blocks, at the end. */
  private String end(WalRecord record) {
    text.setLength(0);
    for (int i = 0; i < record.blocks(); i++) {
      WalBlock block = record.block(i);
      text.append(", blkref #").append(block.id()).append(": rel ").append(block.relation());
      if (block.fork() != ForkName.MAIN) {
        text.append(" fork ").append(block.fork());
      }
      text.append(" blk ").append(Integer.toUnsignedString(block.blockNumber()));
      if (block.hasImage()) {
        text.append(block.imageApplies() ? " FPW" : " FPW for WAL verification");
      }
    }
    return text.toString();
  }

  void assertSame(WalRecord record, String line) throws WalException {
    String start = start(record);
    String end = end(record);
    boolean same =
        line.startsWith(start)
            && line.endsWith(end)
            && line.indexOf(", blkref #") == (end.isEmpty() ? -1 : line.length() - end.length());
    if (!same) {
      assertThat(start + "..." + end).isEqualTo(line);
    }
    String description = line.substring(start.length(), line.length() - end.length());
    if (TransactionEnd.is(record)) {
      assertEnd(TransactionEnd.of(record), description);
    } else if (PreparedTransaction.is(record)) {
      assertPrepared(PreparedTransaction.of(record), description);
    }
  }

  private static String time(Instant time) {
    return TIME.format(time);
  }

  private static void assertEnd(TransactionEnd end, String line) {
    String start =
        (end.prepared() ? Integer.toUnsignedString(end.xid()) + ": " : "") + time(end.time());
    assertThat(line).startsWith(start);
    assertThat(items(line, "subxacts")).isEqualTo(end.subtransactions().size());
    if (!end.subtransactions().isEmpty()) {
      assertThat(line).contains("subxacts: " + end.subtransactions().getFirst());
    }
    assertThat(items(line, "rels")).isEqualTo(end.droppedRelations().size());
    for (RelFileLocator relation : end.droppedRelations()) {
      assertThat(line).contains("/" + relation.relNumber());
    }
    assertThat(items(line, "dropped stats")).isEqualTo(end.droppedStatistics());
    int invalidations = 0;
    for (Matcher m = INVALIDATION.matcher(part(line, "inval msgs") + " "); m.find(); ) {
      invalidations++;
    }
    assertThat(end.invalidations()).as(line).isEqualTo(invalidations);
    String origin =
        end.origin()
            .map(from ->
                "; origin: node %d, lsn %s, at %s"
                    .formatted(from.id(), from.lsn(), time(from.time())))
            .orElse("");
    assertThat(line.contains("origin: node")).isEqualTo(!origin.isEmpty());
    assertThat(line).contains(origin);
  }

  private static void assertPrepared(PreparedTransaction prepared, String line) {
    assertThat(line).startsWith("gid " + prepared.gid() + ": " + time(prepared.time()));
    assertThat(items(line, "subxacts")).isEqualTo(prepared.subtransactions().size());
    assertThat(items(line, "rels(commit)")).isEqualTo(prepared.droppedAtCommit().size());
    assertThat(items(line, "rels(abort)")).isEqualTo(prepared.droppedAtAbort().size());
  }

  private static String part(String line, String title) {
    int at = line.indexOf("; " + title + ":");
    if (at < 0) {
      return "";
    }
    int from = at + title.length() + 3;
    int to = line.indexOf(';', from);
    return (to < 0 ? line.substring(from) : line.substring(from, to)).strip();
  }

  private static int items(String line, String title) {
    String part = part(line, title);
    return part.isEmpty() ? 0 : part.split(" ", -1).length;
  }
}
