package dev.ebb.shared.wal.text;

import dev.ebb.shared.wal.DroppedStatistics;
import dev.ebb.shared.wal.Invalidation;
import dev.ebb.shared.wal.PreparedTransaction;
import dev.ebb.shared.wal.RelFileLocator;
import dev.ebb.shared.wal.TransactionEnd;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.shared.wal.WalVersion;
import java.util.List;

/** Of {@code xactdesc.c}. */
final class TransactionParts {
  private TransactionParts() {}

  static void commit(Fields main, StringBuilder text) throws WalException {
    WalRecord record = main.record();
    TransactionEnd end = begin(record, text);
    statistics(text, "", end.droppedStatistics());
    SystemParts.invalidations(
        text, end.dropsInitFile(), end.dbOid(), end.spcOid(), end.invalidations());
    if (end.appliesFeedback() && isSince15(record)) {
      text.append("; apply_feedback");
    }
    text.append(end.forcesSync() ? "; sync" : "");
    end.origin().ifPresent(origin -> origin(text, origin));
  }

  static void abort(Fields main, StringBuilder text) throws WalException {
    TransactionEnd end = begin(main.record(), text);
    if (isSince15(main.record())) {
      end.origin().ifPresent(origin -> origin(text, origin));
      statistics(text, "", end.droppedStatistics());
    }
  }

  private static boolean isSince15(WalRecord record) {
    return record.writtenBy().isAtLeast(WalVersion.V15);
  }

  private static TransactionEnd begin(WalRecord record, StringBuilder text) throws WalException {
    TransactionEnd end = TransactionEnd.of(record);
    if (end.prepared() && end.xid() != 0) {
      text.append(Integer.toUnsignedString(end.xid())).append(": ");
    }
    Numbers.time(text, end.time());
    relations(text, "rels", end.droppedRelations(), record.writtenBy());
    subtransactions(text, end.subtransactions());
    return end;
  }

  static void prepare(Fields main, StringBuilder text) throws WalException {
    WalRecord record = main.record();
    PreparedTransaction prepared = PreparedTransaction.of(record);
    text.append("gid ").append(prepared.gid()).append(": ");
    Numbers.time(text, prepared.time());
    relations(text, "rels(commit)", prepared.droppedAtCommit(), record.writtenBy());
    relations(text, "rels(abort)", prepared.droppedAtAbort(), record.writtenBy());
    statistics(text, "commit ", prepared.statisticsAtCommit());
    statistics(text, "abort ", prepared.statisticsAtAbort());
    subtransactions(text, prepared.subtransactions());
    SystemParts.invalidations(
        text, prepared.dropsInitFile(), prepared.dbOid(), 0, prepared.invalidations());
    if (isSince15(record)) {
      prepared.origin().ifPresent(origin -> origin(text, origin));
    }
  }

  private static void relations(
      StringBuilder text, String what, List<RelFileLocator> relations, WalVersion version) {
    if (!relations.isEmpty()) {
      text.append("; ").append(what).append(':');
    }
    for (RelFileLocator relation : relations) {
      text.append(' ');
      SystemParts.file(text, relation, version);
    }
  }

  private static void subtransactions(StringBuilder text, List<Integer> subtransactions) {
    if (!subtransactions.isEmpty()) {
      text.append("; subxacts:");
      subtransactions.forEach(xid -> text.append(' ').append(Integer.toUnsignedString(xid)));
    }
  }

  private static void statistics(
      StringBuilder text, String when, List<DroppedStatistics> statistics) {
    if (!statistics.isEmpty()) {
      text.append("; ").append(when).append("dropped stats:");
      statistics.forEach(dropped -> text.append(' ').append(dropped));
    }
  }

  private static void origin(StringBuilder text, TransactionEnd.Origin origin) {
    text.append("; origin: node ").append(origin.id()).append(", lsn ");
    Numbers.lsn(text, origin.lsn().value());
    text.append(", at ");
    Numbers.time(text, origin.time());
  }

  static void assignment(Fields main, StringBuilder text) throws WalException {
    text.append("xtop ").append(main.u4(0)).append(": subxacts:");
    int count = main.checkedCount(main.d4(4), 8, 4);
    for (int i = 0; i < count; i++) {
      text.append(' ').append(main.u4(8 + 4L * i));
    }
  }

  static void invalidated(Fields main, StringBuilder text) throws WalException {
    SystemParts.invalidations(text, false, 0, 0, Invalidation.in(main.record(), 0));
  }
}
