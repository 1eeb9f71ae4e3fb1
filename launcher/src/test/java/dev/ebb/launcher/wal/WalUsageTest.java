package dev.ebb.launcher.wal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.cli.EbbCommand;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/** What is wrong with a command line is told before anything is opened. */
final class WalUsageTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          dump shop --rmgr heaps                     | there is no resource manager "heaps"; there are xlog
          dump shop --from 16B3748                   | --from: "16B3748" is no LSN, such as 0/16B3748
          dump shop --to 0/0/0                       | --to: "0/0/0" is no LSN
          stats shop --from 1/0 --to 0/1             | --to 0/1 is not behind --from 1/0
          dump shop --from 1/0 --to 1/0              | --to 1/0 is not behind --from 1/0
          dump shop --relation 1/2/3/4               | "1/2/3/4" is neither a relation's file
          dump shop --relation 99999999999           | "99999999999" is neither a relation's file
          find shop --time yesterday                 | "yesterday" is no time: name one such as
          find shop --time 0/16B3748                 | is an LSN; name a time
          tail shop -n -1                            | --records: at least 0
          replay shop --as shop@new                  | --to-lsn
          export shop                                | --to=DIR
          """)
  void wrongWordsAreToldWithWhatWouldBeRight(String words, String told) {
    var wrong = new StringWriter();
    String[] all = ("wal " + words).split(" ", -1);
    CommandLine line = EbbCommand.commandLine(Map.of("wal", WalCommand::new), all);
    line.setErr(new PrintWriter(wrong));
    assertThat(line.execute(all)).isEqualTo(2);
    assertThat(wrong.toString()).contains(told);
  }
}
