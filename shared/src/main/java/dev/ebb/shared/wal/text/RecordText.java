package dev.ebb.shared.wal.text;

import dev.ebb.shared.wal.ResourceManager;
import dev.ebb.shared.wal.WalBlock;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalRecord;

/**
 * Records as {@code pg_waldump} of the version that wrote them prints them, character by character;
 * times are in UTC.
 */
public final class RecordText {
  private static final int MANAGER_WIDTH = 11;
  private static final int LENGTH_WIDTH = 6;
  private static final int XID_WIDTH = 10;

  private RecordText() {}

  /** The whole line, without its end. */
  public static String line(WalRecord record) {
    var text = new StringBuilder(200);
    String manager = record.resourceManagerName();
    text.append("rmgr: ")
        .append(manager)
        .repeat(' ', Math.max(0, MANAGER_WIDTH - manager.length()));
    text.append(" len (rec/tot): ");
    right(text, Integer.toString(record.bytesWithoutImages()), LENGTH_WIDTH);
    text.append('/');
    right(text, Integer.toString(record.totalBytes()), LENGTH_WIDTH);
    text.append(", tx: ");
    right(text, Integer.toUnsignedString(record.xid()), XID_WIDTH);
    text.append(", lsn: ");
    Numbers.paddedLsn(text, record.start().value());
    text.append(", prev ");
    Numbers.paddedLsn(text, record.previous().value());
    text.append(", desc: ").append(record.name()).append(' ');
    describe(record, text);
    blocks(record, text);
    return text.toString();
  }

  private static void right(StringBuilder text, String number, int width) {
    text.repeat(' ', Math.max(0, width - number.length())).append(number);
  }

  private static void blocks(WalRecord record, StringBuilder text) {
    for (int i = 0; i < record.blocks(); i++) {
      WalBlock block = record.block(i);
      text.append(", blkref #").append(block.id()).append(": rel ").append(block.relation());
      if (block.fork().number() != 0) {
        text.append(" fork ").append(block.fork());
      }
      text.append(" blk ").append(Integer.toUnsignedString(block.blockNumber()));
      if (block.hasImage()) {
        text.append(block.imageApplies() ? " FPW" : " FPW for WAL verification");
      }
    }
  }

  /**
   * What {@code pg_waldump} says behind the record's name; empty where that is nothing. What cannot
   * be told, because the record is damaged inside or longer than what is kept of it, is told of
   * instead, in parentheses behind what could be.
   */
  public static String describe(WalRecord record) {
    var text = new StringBuilder(100);
    describe(record, text);
    return text.toString();
  }

  private static void describe(WalRecord record, StringBuilder text) {
    if (record.resourceManager() >= ResourceManager.MIN_CUSTOM_ID) {
      text.append("rmid: ").append(record.resourceManager());
      return;
    }
    Template template =
        Templates.of(record.writtenBy(), record.resourceManager(), record.operation());
    if (template != null) {
      int begin = text.length();
      try {
        template.append(Fields.main(record), text);
      } catch (WalException e) {
        text.append(text.length() > begin ? " " : "");
        text.append('(').append(e.getMessage()).append(')');
      }
    }
  }
}
