package dev.ebb.shared.wal.text;

import dev.ebb.shared.wal.ForkName;
import dev.ebb.shared.wal.Invalidation;
import dev.ebb.shared.wal.RelFileLocator;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalVersion;
import java.util.List;

/** Of what belongs to no relation's kind of data. */
final class SystemParts {
  private static final String[] WAL_LEVELS = {"minimal", "replica", "logical"};

  /** {@code MultiXactStatus}. */
  private static final String[] STATUSES = {
    "keysh", "sh", "fornokeyupd", "forupd", "nokeyupd", "upd"
  };

  private static final int DEFAULT_TABLESPACE = 1663;
  private static final int GLOBAL_TABLESPACE = 1664;

  private SystemParts() {}

  static Template.Part walLevel(int at) {
    return (main, text) -> {
      int level = main.d4(at);
      text.append(level >= 0 && level < WAL_LEVELS.length ? WAL_LEVELS[level] : "?");
    };
  }

  static void droppedDatabase(Fields main, StringBuilder text) throws WalException {
    int count = main.checkedCount(main.d4(4), 8, 4);
    for (int i = 0; i < count; i++) {
      text.append(' ').append(main.u4(8 + 4L * i)).append('/').append(main.u4(0));
    }
  }

  static void multiXactMembers(Fields main, StringBuilder text) throws WalException {
    int count = main.checkedCount(main.d4(8), 12, 8);
    for (int i = 0; i < count; i++) {
      int status = main.d4(16 + 8L * i);
      text.append(main.u4(12 + 8L * i)).append(" (");
      text.append(status >= 0 && status < STATUSES.length ? STATUSES[status] : "unk").append(") ");
    }
  }

  /** A relation's file, with the fork behind it or the main one. */
  static Template.Part file(int at, boolean withFork) {
    return (main, text) -> {
      var relation = new RelFileLocator(main.d4(at), main.d4(at + 4), main.d4(at + 8));
      int fork = withFork ? main.d4(at + 12) : 0;
      if (fork < 0 || fork >= ForkName.count()) {
        throw main.record().wrong("a fork " + fork);
      }
      file(text, relation, main.record().writtenBy());
      text.append(fork > 0 ? "_" + ForkName.ofNumber(fork) : "");
    };
  }

  /** {@code GetRelationPath} of {@code src/common/relpath.c}. */
  static void file(StringBuilder text, RelFileLocator relation, WalVersion version) {
    switch (relation.spcOid()) {
      case GLOBAL_TABLESPACE -> text.append("global");
      case DEFAULT_TABLESPACE ->
          text.append("base/").append(Integer.toUnsignedString(relation.dbOid()));
      default ->
          text.append("pg_tblspc/")
              .append(Integer.toUnsignedString(relation.spcOid()))
              .append("/PG_")
              .append(version.major())
              .append('_')
              .append(version.catalog())
              .append('/')
              .append(Integer.toUnsignedString(relation.dbOid()));
    }
    text.append('/').append(Integer.toUnsignedString(relation.relNumber()));
  }

  static void locks(Fields main, StringBuilder text) throws WalException {
    int count = main.checkedCount(main.d4(0), 4, 12);
    for (int i = 0; i < count; i++) {
      long at = 4 + 12L * i;
      text.append("xid ").append(main.u4(at)).append(" db ").append(main.u4(at + 4));
      text.append(" rel ").append(main.u4(at + 8)).append(' ');
    }
  }

  static void running(Fields main, StringBuilder text) throws WalException {
    boolean since16 = main.record().writtenBy().isAtLeast(WalVersion.V16);
    long at = 24;
    at = running(main, text, " xacts:", main.d4(0), at);
    if (main.bool(8)) {
      text.append(since16 ? "; subxid overflowed" : "; subxid ovf");
    }
    if (since16) {
      running(main, text, " subxacts:", main.d4(4), at);
    }
  }

  private static long running(Fields main, StringBuilder text, String what, int stated, long from)
      throws WalException {
    int count = main.checkedCount(stated, from, 4);
    if (count > 0) {
      text.append("; ").append(count).append(what);
    }
    for (int i = 0; i < count; i++) {
      text.append(' ').append(main.u4(from + 4L * i));
    }
    return from + 4L * count;
  }

  /** {@code xl_invalidations}, and what begins like it. */
  static Template.Part invalidations(int at) {
    return (main, text) -> {
      if (main.d4(at + 12) > 0) {
        invalidations(
            text,
            main.bool(at + 8),
            main.d4(at),
            main.d4(at + 4),
            Invalidation.in(main.record(), at + 12));
      }
    };
  }

  /** {@code standby_desc_invalidations}. */
  static void invalidations(
      StringBuilder text, boolean initFile, int dbOid, int spcOid, List<Invalidation> messages) {
    if (messages.isEmpty()) {
      return;
    }
    if (initFile) {
      text.append("; relcache init file inval dbid ").append(Integer.toUnsignedString(dbOid));
      text.append(" tsid ").append(Integer.toUnsignedString(spcOid));
    }
    text.append("; inval msgs:");
    messages.forEach(message -> text.append(' ').append(message));
  }

  static void message(Fields main, StringBuilder text) throws WalException {
    long prefix = main.d8(8);
    long bytes = main.d8(16);
    text.append(main.bool(4) ? "transactional" : "non-transactional");
    text.append(", prefix \"").append(main.text(24));
    text.append("\"; payload (").append(Long.toUnsignedString(bytes)).append(" bytes): ");
    if (prefix < 0 || prefix > main.size()) {
      throw main.record().wrong("a prefix of " + Long.toUnsignedString(prefix) + " bytes");
    }
    int count = main.checkedCount(bytes, 24 + prefix, 1);
    text.ensureCapacity(text.length() + 3 * count);
    for (int i = 0; i < count; i++) {
      if (i > 0) {
        text.append(' ');
      }
      Numbers.hex(text, main.u1(24 + prefix + i));
    }
  }

  static void regions(Fields main, StringBuilder text) throws WalException {
    int at = 0;
    while (at < main.size()) {
      int length = main.u2(at + 2L);
      text.append("offset ").append(main.u2(at)).append(", length ").append(length);
      at += 4 + length;
      if (at > main.size()) {
        throw main.record().wrong("a region that is cut off");
      }
      text.append(at < main.size() ? "; " : "");
    }
  }
}
