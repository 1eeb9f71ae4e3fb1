package dev.ebb.launcher.wal;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalException;
import dev.ebb.walservice.history.BranchRecords;
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
      BranchRecords records = wal.records(logs.options().ofFrames(), Lsn.INVALID);
      var first = new Lsn[] {Lsn.INVALID};
      var count = new long[1];
      try {
        walk(
            wal,
            records,
            Lsn.INVALID,
            new Lsn(-1),
            record -> {
              if (count[0]++ == 0) {
                first[0] = record.start();
              }
              record.takeApart();
              return true;
            });
      } catch (WalException e) {
        throw new WalFailure(
            "the WAL is damaged at %s, behind %d records that are right: %s"
                .formatted(e.at(), count[0], e.getMessage()));
      } catch (EbbException.Corrupt | EbbException.NotFound e) {
        throw new WalFailure(
            "the log is damaged or incomplete behind %s (%d records up to there are right): %s"
                .formatted(records.end(), count[0], e.getMessage()));
      }
      tell(logs, wal, records, first[0], count[0]);
    }
    return 0;
  }

  private void tell(BranchLogs logs, BranchWal wal, BranchRecords records, Lsn first, long count)
      throws WalFailure {
    Lsn end = records.end();
    if (records.atZeroes()) {
      throw new WalFailure(
          "there are zeroes behind the records, which end at %s; the log goes on to %s"
              .formatted(end, wal.end()));
    }
    Lsn needed = logs.newest().endLsn();
    // The snapshot of a branch that was never written to is all that there is.
    if (count > 0 && end.isBefore(needed)) {
      throw new WalFailure(
          "the records end at %s, before the newest snapshot's end %s".formatted(end, needed));
    }
    out()
        .printf(
            "%d records from %s to %s are right%s%n",
            count,
            first,
            end,
            records.unfinished().isValid()
                ? "; the last one, at " + records.unfinished() + ", is not whole yet"
                : "");
  }
}
