package dev.ebb.shared.wal.text;

import dev.ebb.shared.wal.WalException;

/** Of {@code heapdesc.c}. */
final class HeapParts {
  private static final String[] INFO_BITS = {
    "IS_MULTI", "LOCK_ONLY", "EXCL_LOCK", "KEYSHR_LOCK", "KEYS_UPDATED"
  };
  private static final String[] TRUNCATE_FLAGS = {"CASCADE", "RESTART_SEQS"};

  private static final int INIT_PAGE = 0x80;

  private static final int IS_CATALOG = 1 << 1;
  private static final int HAS_CONFLICT_HORIZON = 1 << 3;
  private static final int HAS_FREEZE_PLANS = 1 << 4;
  private static final int HAS_REDIRECTIONS = 1 << 5;
  private static final int HAS_DEAD_ITEMS = 1 << 6;
  private static final int HAS_UNUSED_ITEMS = 1 << 7;

  /** {@code sizeof(xlhp_freeze_plan)}. */
  private static final int PLAN_BYTES = 12;

  private HeapParts() {}

  static Template.Part infoBits(int at) {
    return (main, text) -> names(text, INFO_BITS, main.u1(at));
  }

  static Template.Part oldInfoBits(int at) {
    return (main, text) -> {
      for (int i = 0; i < INFO_BITS.length; i++) {
        text.append((main.u1(at) & 1 << i) != 0 ? INFO_BITS[i] + " " : "");
      }
    };
  }

  private static void names(StringBuilder text, String[] names, int bits) {
    text.append('[');
    String between = "";
    for (int i = 0; i < names.length; i++) {
      if ((bits & 1 << i) != 0) {
        text.append(between).append(names[i]);
        between = ", ";
      }
    }
    text.append(']');
  }

  static Template.Part truncateFlags(int at) {
    return (main, text) -> names(text, TRUNCATE_FLAGS, main.u1(at));
  }

  static Template.Part oldTruncate() {
    return (main, text) -> {
      int flags = main.u1(8);
      text.append((flags & 1) != 0 ? "cascade " : "")
          .append((flags & 2) != 0 ? "restart_seqs " : "");
      text.append("nrelids ").append(main.u4(4)).append(" relids");
      int count = main.checkedCount(main.u4(4), 12, 4);
      for (int i = 0; i < count; i++) {
        text.append(' ').append(main.u4(12 + 4L * i));
      }
    };
  }

  /** Redirected line pointers: from and to. */
  private static long redirected(Fields data, StringBuilder text, long count, long from)
      throws WalException {
    return Lists.of(
        data,
        text,
        count,
        from,
        4,
        at -> text.append(data.u2(at)).append("->").append(data.u2(at + 2)));
  }

  static void prune16(Fields main, StringBuilder text) throws WalException {
    if (!main.hasBlockData()) {
      return;
    }
    Fields data = main.blockData();
    int redirected = main.u2(4);
    int dead = main.u2(6);
    long unused = (data.size() - 4L * redirected - 2L * dead) / 2;
    text.append(", nunused: ").append(unused).append(", redirected: ");
    long at = redirected(data, text, redirected, 0);
    text.append(", dead: ");
    at = Lists.offsets(data, text, dead, at);
    text.append(", unused: ");
    Lists.offsets(data, text, unused, at);
  }

  static void vacuum16(Fields main, StringBuilder text) throws WalException {
    if (main.hasBlockData()) {
      text.append(", unused: ");
      Lists.offsets(main.blockData(), text, main.u2(0), 0);
    }
  }

  static void freeze16(Fields main, StringBuilder text) throws WalException {
    if (main.hasBlockData()) {
      int plans = main.u2(4);
      text.append(", plans: ");
      plans(main.blockData(), text, plans, 0, (long) plans * PLAN_BYTES);
    }
  }

  /** Plans lie one behind the other, the line pointers of all of them elsewhere. */
  private static void plans(Fields data, StringBuilder text, int count, long from, long pointers)
      throws WalException {
    long[] next = {pointers};
    Lists.of(
        data,
        text,
        count,
        from,
        PLAN_BYTES,
        at -> {
          int tuples = data.u2(at + 10);
          text.append("{ xmax: ").append(data.u4(at));
          text.append(", infomask: ").append(data.u2(at + 6));
          text.append(", infomask2: ").append(data.u2(at + 4));
          text.append(", ntuples: ").append(tuples).append(", offsets: ");
          next[0] = Lists.offsets(data, text, tuples, next[0]);
          text.append(" }");
        });
  }

  static void inserted(Fields main, StringBuilder text) throws WalException {
    if (main.hasBlockData() && (main.record().info() & INIT_PAGE) == 0) {
      text.append(", offsets: ");
      Lists.offsets(main, text, main.u2(2), 4);
    }
  }

  /** {@code heap_xlog_deserialize_prune_and_freeze}. */
  static void prune17(Fields main, StringBuilder text) throws WalException {
    int flags = main.u1(1);
    if ((flags & HAS_CONFLICT_HORIZON) != 0) {
      text.append("snapshotConflictHorizon: ").append(main.u4(2));
    }
    text.append(", isCatalogRel: ").append((flags & IS_CATALOG) != 0 ? 'T' : 'F');
    if (!main.hasBlockData()) {
      return;
    }
    Fields data = main.blockData();
    long at = 0;
    int plans = 0;
    if ((flags & HAS_FREEZE_PLANS) != 0) {
      plans = data.u2(0);
      at = 4 + (long) plans * PLAN_BYTES;
    }
    final long redirectedAt = at + 2;
    int redirected = (flags & HAS_REDIRECTIONS) != 0 ? data.u2(at) : 0;
    at += (flags & HAS_REDIRECTIONS) != 0 ? 2 + 4L * redirected : 0;
    final long deadAt = at + 2;
    int dead = (flags & HAS_DEAD_ITEMS) != 0 ? data.u2(at) : 0;
    at += (flags & HAS_DEAD_ITEMS) != 0 ? 2 + 2L * dead : 0;
    final long unusedAt = at + 2;
    int unused = (flags & HAS_UNUSED_ITEMS) != 0 ? data.u2(at) : 0;
    at += (flags & HAS_UNUSED_ITEMS) != 0 ? 2 + 2L * unused : 0;
    text.append(", nplans: ").append(plans).append(", nredirected: ").append(redirected);
    text.append(", ndead: ").append(dead).append(", nunused: ").append(unused);
    if (plans > 0) {
      text.append(", plans: ");
      plans(data, text, plans, 4, at);
    }
    if (redirected > 0) {
      text.append(", redirected: ");
      redirected(data, text, redirected, redirectedAt);
    }
    if (dead > 0) {
      text.append(", dead: ");
      Lists.offsets(data, text, dead, deadAt);
    }
    if (unused > 0) {
      text.append(", unused: ");
      Lists.offsets(data, text, unused, unusedAt);
    }
  }
}
