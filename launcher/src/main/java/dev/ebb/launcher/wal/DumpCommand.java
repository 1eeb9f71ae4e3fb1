package dev.ebb.launcher.wal;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.walservice.history.BranchWal;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ebb wal dump}. */
@Command(
    name = "dump",
    description = "Show the records of a branch's WAL, as pg_waldump does.",
    footer = {
      "",
      "Examples:",
      "  ./ebb wal dump shop --rmgr transaction",
      "  ./ebb wal dump shop@dev --from 0/16B3748 --relation 16384 --json"
    })
final class DumpCommand extends WalTool {
  private static final int RECORDS_A_LOOK = 10_000;

  @Option(names = "--from", paramLabel = "LSN", description = "The first record starts here.")
  private @Nullable String from;

  @Option(names = "--to", paramLabel = "LSN", description = "The last one starts before.")
  private @Nullable String to;

  @Option(names = "--rmgr", paramLabel = "NAME", description = "Only of this resource manager.")
  private @Nullable String manager;

  @Option(
      names = "--relation",
      paramLabel = "FILE",
      description = "Only those that change this relation file: 16384, 5/16384 or 1663/5/16384.")
  private @Nullable String relation;

  @Option(names = "--json", description = "JSON, an object a line.")
  private boolean json;

  private long seen;
  private Lsn first = Lsn.INVALID;
  private Lsn end = new Lsn(Long.MAX_VALUE);
  private RecordFilter filter = new RecordFilter(null, null);

  @Override
  void check() {
    first = lsn("--from", from, first);
    end = lsn("--to", to, end);
    try {
      filter = RecordFilter.parse(manager, relation);
    } catch (IllegalArgumentException e) {
      throw usage(String.valueOf(e.getMessage()));
    }
  }

  @Override
  boolean prints() {
    return true;
  }

  @Override
  int run(BranchLogs logs) throws Exception {
    try (BranchWal wal = logs.open(first)) {
      walk(
          wal,
          wal.records(logs.options(), first),
          end,
          cursor -> {
            WalRecord record = cursor.record();
            if (filter.wants(record)) {
              out().println(json ? RecordText.json(record) : RecordText.line(record));
            }
            // Whoever reads it may have seen enough; to find out costs a flush.
            return ++seen % RECORDS_A_LOOK != 0 || !out().checkError();
          });
    }
    return 0;
  }
}
