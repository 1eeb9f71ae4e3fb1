package dev.ebb.shared.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ModelTest {
  @ParameterizedTest
  @ValueSource(strings = {"0/0", "0/16B3748", "1/0", "FFFFFFFF/FFFFFFFF", "A/B"})
  void lsnIsPrintedAsItWasParsed(String text) {
    assertThat(Lsn.parse(text)).hasToString(text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "/",
        "0",
        "0/",
        "/0",
        "0/16B3748/",
        "0/-1",
        "-1/0",
        "+1/0",
        "0/+1",
        "G/0",
        "0 /1",
        "123456789/0",
        "0/123456789"
      })
  void whatIsNoLsnIsRefused(String text) {
    assertThatThrownBy(() -> Lsn.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("not an LSN");
  }

  @Test
  void lsnsAreUnsigned() {
    Lsn high = Lsn.parse("FFFFFFFF/0");
    Lsn low = Lsn.parse("0/1");

    assertThat(high.isAfter(low)).isTrue();
    assertThat(low.isBefore(high)).isTrue();
    assertThat(Lsn.max(low, high)).isEqualTo(high);
    assertThat(low.plus(15).minus(low)).isEqualTo(15);
    assertThat(Lsn.INVALID.isValid()).isFalse();
    assertThat(high.isValid()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"a", "shop", "my_shop-2", "a23456789012345678901234567890"})
  void goodNamesAreTaken(String name) {
    assertThat(Names.requireName("database", name)).isEqualTo(name);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "A", "1a", "_a", "-a", "a b", "a/b", "a.b", "ä", "a@b", "a\n"})
  void badNamesAreRefusedWithTheRule(String name) {
    assertThatThrownBy(() -> Names.requireName("database", name))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("invalid database name")
        .hasMessageContaining("lower-case letter");
  }

  @Test
  void namesEndAtSixtyThreeCharacters() {
    assertThat(Names.requireName("x", "a".repeat(63))).hasSize(63);
    assertThatThrownBy(() -> Names.requireName("x", "a".repeat(64)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void whatIsPrintedOfForeignTextIsShortAndHarmless() {
    assertThat(Names.printable("a\nb\u001b[31m")).isEqualTo("a?b?[31m");
    assertThat(Names.printable("x".repeat(1000))).hasSize(81);
  }

  @Test
  void randomIdsAreValidAndDiffer() {
    Set<String> ids = new HashSet<>();
    for (int i = 0; i < 1_000; i++) {
      ids.add(BranchId.random().value());
    }
    assertThat(ids).hasSize(1_000).allMatch(id -> id.matches("[a-z0-9]{20}"));
    assertThatThrownBy(() -> new BranchId("../x")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new SnapshotId("")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new DatabaseId("A")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new HostId("a".repeat(41)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void branchAddressHasMainForDefault() {
    assertThat(BranchAddress.parse("shop")).hasToString("shop@main");
    assertThat(BranchAddress.parse("shop@test")).isEqualTo(new BranchAddress("shop", "test"));
    assertThatThrownBy(() -> BranchAddress.parse("shop@"))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> BranchAddress.parse("a@b@c"))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void generationsRiseAndSecretsAreNotPrinted() {
    assertThat(Generation.NONE.next().next()).isEqualTo(new Generation(2));
    assertThat(new Generation(2)).isGreaterThan(new Generation(1));
    assertThatThrownBy(() -> new Generation(-1)).isInstanceOf(IllegalArgumentException.class);
    var role = new RoleState("app", new Secret("SCRAM$x"), true, false, false, -1, 0);
    assertThat(role.toString()).doesNotContain("SCRAM").contains("***");
  }
}
