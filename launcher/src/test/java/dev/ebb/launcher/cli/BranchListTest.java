package dev.ebb.launcher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class BranchListTest {
  private static final Clock NOW =
      Clock.fixed(Instant.parse("2026-11-22T12:00:00Z"), ZoneOffset.UTC);

  private static Map<?, ?> branch(String name, String parent, boolean isProtected) {
    return Map.of(
        "name",
        name,
        "parent",
        parent,
        "state",
        "suspended",
        "created",
        "2026-11-22T11:00:00Z",
        "protected",
        isProtected,
        "logicalBytes",
        10_485_760,
        "ownBytes",
        267);
  }

  @Test
  void childrenStandBelowTheirParentsAndOrphansAtTheRoot() {
    var text = new StringWriter();
    var out = new PrintWriter(text);

    new BranchList(
            List.of(
                branch("dev", "main", false),
                branch("fix", "dev", false),
                branch("main", "", true),
                branch("orphan", "gone", false),
                branch("qa", "main", false)),
            NOW)
        .print(out);
    out.flush();

    assertThat(text.toString().lines())
        .containsExactly(
            "BRANCH            STATE       AGE   SIZE    OWN  FORKED AT  HOST",
            "main (protected)  suspended  1h0m  10 MB  267 B  -          -",
            "├─ dev            suspended  1h0m  10 MB  267 B  -          -",
            "│  └─ fix         suspended  1h0m  10 MB  267 B  -          -",
            "└─ qa             suspended  1h0m  10 MB  267 B  -          -",
            "orphan            suspended  1h0m  10 MB  267 B  -          -");
  }
}
