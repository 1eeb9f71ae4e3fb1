package dev.ebb.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.ComputeMessage.Damage;
import java.util.List;
import org.junit.jupiter.api.Test;

final class DamageDetailsTest {
  private static final List<Damage> LATEST =
      List.of(
          new Damage("base/5/16384", 7, 1, "heap", 1),
          new Damage("base/5/16384_vm", 0, 1, "map", 1),
          new Damage("base/5/1638", 7, 1, "shorter", 1),
          new Damage("pg_xact/0000", 3, 1, "log", 1),
          new Damage("base/5/16384", 140_000, 1, "far", 1));

  private static String cause(String words) {
    return DamageDetails.match(words, LATEST);
  }

  @Test
  void pageIsFoundInWhatPostgresqlSaysOfIt() {
    assertThat(cause("invalid page in block 7 of relation base/5/16384\n")).isEqualTo("heap");
    assertThat(cause("invalid page in block 7 of relation \"base/5/16384\"")).isEqualTo("heap");
    assertThat(cause("ung\u00fcltige Seite in Block 7 von base/5/1638")).isEqualTo("shorter");
    assertThat(cause("invalid page in block 0 of relation base/5/16384_vm")).isEqualTo("map");
    assertThat(cause("could not read blocks 139999..140001 in file \"base/5/16384.1\": I/O error"))
        .isEqualTo("far");
    assertThat(
            cause(
                "could not access status of transaction 9\n"
                    + "Could not read from file \"pg_xact/0000\" at offset 0: I/O error."))
        .isEqualTo("log");
  }

  @Test
  void otherPageIsNot() {
    assertThat(cause("invalid page in block 8 of relation base/5/16384")).isEmpty();
    assertThat(cause("invalid page in block 77 of relation base/5/16384")).isEmpty();
    assertThat(cause("invalid page in block 7 of relation base/6/16384")).isEmpty();
    assertThat(cause("invalid page in block 7 of relation xbase/5/16384")).isEmpty();
    assertThat(cause("something else 7")).isEmpty();
    assertThat(cause("")).isEmpty();
  }
}
