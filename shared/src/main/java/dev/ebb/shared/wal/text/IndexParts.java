package dev.ebb.shared.wal.text;

import dev.ebb.shared.wal.WalException;

/** Of {@code nbtdesc.c} and {@code gindesc.c}. */
final class IndexParts {
  private static final int GIN_IS_DATA = 1;
  private static final int GIN_IS_LEAF = 2;

  private static final int SEGMENT_DELETE = 1;
  private static final int SEGMENT_INSERT = 2;
  private static final int SEGMENT_REPLACE = 3;
  private static final int SEGMENT_ADD_ITEMS = 4;

  /** {@code sizeof(ItemPointerData)}. */
  private static final int ITEM_POINTER_BYTES = 6;

  private IndexParts() {}

  /** What was deleted and updated, whose two numbers lie at {@code counts}. */
  static Template.Part btreeDeleted(int counts) {
    return (main, text) -> {
      if (main.hasBlockData()) {
        Fields data = main.blockData();
        text.append(", deleted: ");
        long updated = Lists.offsets(data, text, main.u2(counts), 0);
        text.append(", updated: ");
        long[] update = {updated + 2L * main.u2(counts + 2)};
        Lists.of(
            data,
            text,
            main.u2(counts + 2),
            updated,
            2,
            at -> {
              int tuples = data.u2(update[0]);
              text.append("{ off: ").append(data.u2(at)).append(", nptids: ").append(tuples);
              text.append(", ptids: ");
              update[0] = Lists.offsets(data, text, tuples, update[0] + 2);
              text.append(" }");
            });
      }
    };
  }

  static void btreeCleanup(Fields main, StringBuilder text) throws WalException {
    text.append(main.blockData().u4(20));
  }

  static void ginInsert(Fields main, StringBuilder text) throws WalException {
    int flags = main.u2(0);
    boolean isData = (flags & GIN_IS_DATA) != 0;
    boolean isLeaf = (flags & GIN_IS_LEAF) != 0;
    text.append("isdata: ").append(isData ? 'T' : 'F');
    text.append(" isleaf: ").append(isLeaf ? 'T' : 'F');
    if (!isLeaf) {
      text.append(" children: ")
          .append(main.blockNumber(2))
          .append('/')
          .append(main.blockNumber(6));
    }
    if (main.hasBlockImage()) {
      image(main, text);
      return;
    }
    Fields data = main.blockData();
    if (!isData) {
      text.append(" isdelete: ").append(data.bool(2) ? 'T' : 'F');
    } else if (isLeaf) {
      segments(data, text);
    } else {
      text.append(" pitem: ").append(data.blockNumber(2)).append('-').append(data.blockNumber(6));
      text.append('/').append(data.u2(10));
    }
  }

  static void ginVacuum(Fields main, StringBuilder text) throws WalException {
    if (main.hasBlockImage()) {
      image(main, text);
    } else {
      segments(main.blockData(), text);
    }
  }

  private static void image(Fields main, StringBuilder text) {
    text.append(
        main.block().imageApplies()
            ? " (full page image)"
            : " (full page image, for WAL verification)");
  }

  /** {@code ginxlogRecompressDataLeaf} and what follows it. */
  private static void segments(Fields data, StringBuilder text) throws WalException {
    int actions = data.u2(0);
    text.append(' ').append(actions).append(" segments:");
    long at = 2;
    for (int i = 0; i < actions; i++) {
      int segment = data.u1(at);
      int action = data.u1(at + 1);
      at += 2;
      text.append(' ').append(segment);
      switch (action) {
        case SEGMENT_DELETE -> text.append(" (delete)");
        case SEGMENT_INSERT, SEGMENT_REPLACE -> {
          text.append(action == SEGMENT_INSERT ? " (insert)" : " (replace)");
          int bytes = data.u2(at + ITEM_POINTER_BYTES);
          at += ITEM_POINTER_BYTES + 2 + (bytes + 1 & -2);
        }
        case SEGMENT_ADD_ITEMS -> {
          int items = data.u2(at);
          text.append(" (add ").append(items).append(" items)");
          at += 2 + (long) items * ITEM_POINTER_BYTES;
        }
        default -> {
          text.append(" unknown action ").append(action).append(" ???");
          return;
        }
      }
    }
  }
}
