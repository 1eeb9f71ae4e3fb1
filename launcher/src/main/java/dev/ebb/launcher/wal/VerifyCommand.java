package dev.ebb.launcher.wal;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalCursor;
import dev.ebb.shared.wal.WalException;
import dev.ebb.walservice.history.BranchWal;
import picocli.CommandLine.Command;

/** {@code ebb wal verify}. */
@Command(
    name = "verify",
    description = {
      "Check all of a branch's WAL that is retained: every record's checksum, that each follows the"
          + " one before, and that all snapshots reach into it.",
      "Fails where something is damaged or missing."
    },
    footer = {"", "Example: ./ebb wal verify shop"})
final class VerifyCommand extends WalTool {
  @Override
  int run(BranchLogs logs) throws Exception {
    try (BranchWal wal = logs.open(Lsn.INVALID)) {
      WalCursor cursor = wal.records(logs.options(), Lsn.INVALID);
      var records = new long[1];
      var first = new Lsn[] {Lsn.INVALID};
      try {
        walk(
            wal,
            cursor,
            new Lsn(Long.MAX_VALUE),
            at -> {
              if (records[0]++ == 0) {
                first[0] = at.record().start();
              }
              return true;
            });
      } catch (WalException e) {
        throw new WalFailure(
            "the WAL is damaged at %s, behind %d records that are right: %s"
                .formatted(e.at(), records[0], e.getMessage()));
      } catch (EbbException.Corrupt e) {
        throw new WalFailure("the log is damaged: " + e.getMessage());
      }
      Lsn end = cursor.reader().end();
      Lsn needed = logs.newest().endLsn();
      // The snapshot of a branch that was never written to is all that there is.
      if (records[0] > 0 && end.isBefore(needed)) {
        throw new WalFailure(
            "the records end at %s, before the newest snapshot's end %s".formatted(end, needed));
      }
      out()
          .printf(
              "%d records from %s to %s are right%s%n",
              records[0],
              first[0],
              end,
              cursor.reader().unfinished().isValid()
                  ? "; the last one, at " + cursor.reader().unfinished() + ", is not whole yet"
                  : "");
    }
    return 0;
  }
}
