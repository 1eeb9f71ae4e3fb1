package dev.ebb.shared.wal.text;

import dev.ebb.shared.wal.WalException;

/** Lists as {@code array_desc} of {@code rmgrdesc_utils.c} prints them. */
final class Lists {
  private Lists() {}

  /** Tells of the item that lies at an offset. */
  @FunctionalInterface
  interface Item {
    void append(long at) throws WalException;
  }

  /** {@code [a, b]} of items of one size; returns where they end. */
  static long of(Fields fields, StringBuilder text, long count, long from, int bytes, Item item)
      throws WalException {
    int items = fields.checkedCount(count, from, bytes);
    text.append('[');
    for (int i = 0; i < items; i++) {
      if (i > 0) {
        text.append(", ");
      }
      item.append(from + (long) i * bytes);
    }
    text.append(']');
    return from + (long) items * bytes;
  }

  /** Of line pointers' numbers. */
  static long offsets(Fields fields, StringBuilder text, long count, long from)
      throws WalException {
    return of(fields, text, count, from, 2, at -> text.append(fields.u2(at)));
  }
}
