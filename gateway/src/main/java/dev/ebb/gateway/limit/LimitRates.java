package dev.ebb.gateway.limit;

/**
 * What one address and one database get. Of IPv6 a whole /64 counts as one address: that much every
 * customer of a provider has.
 *
 * @param connectionsPerAddress connections that ask for a database
 * @param failedLoginsPerAddress wrong passwords; whoever has used them up tries no more for a
 *     while, but for roles that have logged in from there within the last hour
 * @param failedLoginsPerDatabase the same for all addresses together: where they are used up, only
 *     addresses that have not failed lately may try
 * @param wakesPerAddress starts of computes
 */
public record LimitRates(
    Rate connectionsPerAddress,
    Rate connectionsPerDatabase,
    Rate failedLoginsPerAddress,
    Rate failedLoginsPerDatabase,
    Rate wakesPerAddress,
    Rate wakesPerDatabase) {

  /** Far above what an application does, and below what does harm. */
  public static final LimitRates DEFAULTS =
      new LimitRates(
          Rate.perSecond(2_000),
          Rate.perSecond(5_000),
          Rate.perMinute(120),
          Rate.perMinute(1_200),
          Rate.perMinute(1_200),
          Rate.perMinute(600));
}
