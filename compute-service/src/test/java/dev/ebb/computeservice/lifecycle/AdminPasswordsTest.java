package dev.ebb.computeservice.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Secret;
import org.junit.jupiter.api.Test;

class AdminPasswordsTest {
  private final AdminPasswords passwords = new AdminPasswords(new Secret("0123456789abcdef"));

  @Test
  void passwordIsStableForADatabaseAndDiffersBetweenThem() {
    var one = new DatabaseId("one");
    assertThat(passwords.of(one)).isEqualTo(passwords.of(one));
    assertThat(passwords.of(one)).isNotEqualTo(passwords.of(new DatabaseId("two")));
    assertThat(passwords.of(one).reveal()).hasSize(64).matches("[0-9a-f]+");
  }

  @Test
  void passwordDependsOnTheClusterSecret() {
    var other = new AdminPasswords(new Secret("another-secret-of-a-cluster"));
    var database = new DatabaseId("one");
    assertThat(other.of(database)).isNotEqualTo(passwords.of(database));
  }

  @Test
  void passwordNeverPrints() {
    assertThat(passwords.of(new DatabaseId("one")).toString()).isEqualTo("***");
  }
}
