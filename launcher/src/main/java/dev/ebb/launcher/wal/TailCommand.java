package dev.ebb.launcher.wal;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.shared.wal.text.RecordText;
import dev.ebb.walservice.history.BranchRecords;
import dev.ebb.walservice.history.BranchWal;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ebb wal tail}. */
@Command(
    name = "tail",
    description = "Show the last records of a branch's WAL, and those that come.",
    footer = {"", "Example: ./ebb wal tail shop --follow"})
final class TailCommand extends WalTool {
  private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

  private static final int RECORDS_A_LOOK = 1_000;

  @Option(
      names = {"-n", "--records"},
      paramLabel = "N",
      defaultValue = "10",
      description = "So many (default: ${DEFAULT-VALUE}).")
  private int count = 10;

  @Option(
      names = {"-f", "--follow"},
      description = "Go on with new ones, until Ctrl-C.")
  private boolean follow;

  @Option(names = "--json", description = "JSON, an object a line.")
  private boolean json;

  @Override
  void check() {
    if (count < 0) {
      throw usage("--records: at least 0");
    }
  }

  @Override
  boolean prints() {
    return true;
  }

  @Override
  int run(BranchLogs logs) throws Exception {
    // From the newest snapshot on there may be too few.
    var near = new ArrayDeque<Lsn>(List.of(Lsn.INVALID));
    logs.snapshots().forEach(snapshot -> near.add(snapshot.redoLsn()));
    boolean shown = false;
    while (!shown) {
      endIfOver();
      Lsn from = near.removeLast();
      try (BranchWal wal = logs.open(from)) {
        BranchRecords records = wal.records(logs.options(), from);
        var last = new ArrayDeque<String>();
        long seen = 0;
        while (!isOver() && records.next()) {
          if (seen++ % RECORDS_A_LOOK == 0) {
            endIfOver();
          }
          last.add(text(records.record()));
          if (last.size() > count) {
            last.remove();
          }
        }
        endIfOver();
        shown = last.size() == count || near.isEmpty();
        if (shown) {
          last.forEach(out()::println);
          follow(wal, records);
        }
      }
    }
    return 0;
  }

  private void follow(BranchWal wal, BranchRecords records) throws Exception {
    out().flush();
    while (follow) {
      endIfOver();
      LockSupport.parkNanos(POLL_NANOS);
      wal.refresh();
      while (!isOver() && records.next()) {
        out().println(text(records.record()));
      }
      out().flush();
    }
  }

  private String text(WalRecord record) {
    return json ? RecordJson.of(record) : RecordText.line(record);
  }
}
