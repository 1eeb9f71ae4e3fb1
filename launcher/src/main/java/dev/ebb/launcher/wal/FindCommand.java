package dev.ebb.launcher.wal;

import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.TransactionEnd;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.walservice.history.BranchWal;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ebb wal find}. */
@Command(
    name = "find",
    description = "Tell which LSN a time is: the commits or aborts around it.",
    footer = {
      "",
      "Example: ./ebb wal find shop --time 2026-11-22T10:00:00Z",
      "\"./ebb branch create shop@then --at LSN\" makes a branch of it."
    })
final class FindCommand extends WalTool {
  @Option(
      names = "--time",
      paramLabel = "TIME",
      required = true,
      description =
          "Such as 2026-11-22T10:00:00Z or \"2026-11-22 10:00:00.5+01\" (without a zone: UTC), or"
              + " how long ago: -90m (s, m, h, d).")
  private @Nullable String text;

  private Instant time = Instant.EPOCH;

  /** The end of a transaction. */
  private record End(Lsn start, Lsn end, String name, Instant time) {
    static End of(WalRecord record, Instant time) {
      return new End(record.start(), record.end(), record.name(), time);
    }
  }

  @Override
  void check() {
    try {
      BranchPoint point = BranchPoint.parse(String.valueOf(text), Instant.now());
      if (point.kind() == BranchPoint.Kind.LSN) {
        throw usage("--time: " + text + " is an LSN; name a time such as 2026-11-22T10:00:00Z");
      }
      time = point.instant();
    } catch (IllegalArgumentException e) {
      throw usage(
          "--time: \""
              + text
              + "\" is no time: name one such as 2026-11-22T10:00:00Z or"
              + " \"2026-11-22 10:00:00.5+01\" (without a zone: UTC), or how long ago, as -90m");
    }
  }

  @Override
  int run(BranchLogs logs) throws Exception {
    var before = new End[1];
    var behind = new End[1];
    try (BranchWal wal = logs.open(Lsn.INVALID)) {
      walk(
          wal,
          wal.records(logs.options(), Lsn.INVALID),
          Lsn.INVALID,
          new Lsn(-1),
          record -> {
            if (!TransactionEnd.is(record)) {
              return true;
            }
            Instant at = TransactionEnd.timeOf(record);
            if (at.isAfter(time)) {
              behind[0] = End.of(record, at);
              return false;
            }
            before[0] = End.of(record, at);
            return true;
          });
    }
    if (before[0] == null && behind[0] == null) {
      throw new WalFailure("no transaction ends in the WAL that is retained");
    }
    tell("last before", before[0]);
    tell("first behind", behind[0]);
    return 0;
  }

  private void tell(String which, @Nullable End end) {
    out()
        .println(
            which
                + ": "
                + (end == null
                    ? "none that is retained"
                    : end.name() + " at " + end.start() + " to " + end.end() + ", " + end.time()));
  }
}
