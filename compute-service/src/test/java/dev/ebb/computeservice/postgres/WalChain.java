package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalFormat;
import dev.ebb.shared.wal.WalOptions;
import dev.ebb.shared.wal.WalReader;
import java.io.IOException;
import java.nio.file.Path;

/** The chain of records in a {@code pg_wal}. */
public final class WalChain {
  private WalChain() {}

  /**
   * Follows it.
   *
   * @param from where a record starts: redo
   * @param limit stops there even if more follows; {@code Lsn.INVALID} for none
   * @return the end of the last intact record that is linked to its predecessor; {@code from} where
   *     there is none
   */
  public static Lsn end(Path walDirectory, Lsn from, Lsn limit, PgControl control)
      throws IOException {
    var reader =
        WalReader.atRecord(
            WalOptions.ofSegments(control.walSegmentBytes()).with(control.major()).ofFrames(),
            from);
    try (var files = WalFiles.in(walDirectory, control.walSegmentBytes(), control.timeline())) {
      while (!limit.isValid() || reader.end().isBefore(limit)) {
        switch (reader.next()) {
          case RECORD -> {}
          case ZEROES -> {
            return reader.end();
          }
          case MORE -> {
            byte[] page = files.page(WalFormat.pageStart(reader.wanted()));
            if (page == null) {
              return reader.end();
            }
            int offset = WalFormat.offsetInPage(reader.wanted());
            reader.feed(page, offset, page.length - offset);
          }
        }
      }
    } catch (WalException e) {
      // The chain ends where there is none.
    }
    return reader.end();
  }
}
