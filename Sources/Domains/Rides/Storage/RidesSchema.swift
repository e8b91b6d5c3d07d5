import Storage

/// The tables of rides. Instants are nanoseconds, amounts are minor units of the city's currency, and states are the
/// numbers that the protos give them.
///
/// What must be unique is so by an index, whoever writes: a rider's live ride, a driver's live ride, a ride's accepted
/// offer, a vehicle's driver. The partial indexes hold only what is going on now, so they stay small.
enum RidesSchema {
  static let migrations: [Migration] = [
    Migration(
      "rides", 1, "cities, zones, fares, drivers, rides, offers, trails",
      sql: places + drivers + rides),
    Migration("rides", 2, "drivers whom several nodes serve", sql: severalNodes),
    Migration("rides", 3, "sessions of drivers whom several nodes serve", sql: sessions),
    Migration("rides", 4, "trails that another node asks for", sql: flushes),
  ]

  private static let severalNodes = """
    -- How often a presence has changed: of two copies, the newer one counts.
    ALTER TABLE rides_presences ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
    -- When the driver was last heard from, as of the last checkpoint. A row with sequence 0 says only that: the position
    -- is not known.
    ALTER TABLE rides_positions ADD COLUMN heard_at INTEGER NOT NULL DEFAULT 0;
    """

  private static let sessions = """
    -- The newest session of each driver, where several nodes serve drivers: older ones end.
    -- distributed by driver_id
    CREATE TABLE rides_sessions (
      driver_id INTEGER NOT NULL,
      session INTEGER NOT NULL,
      PRIMARY KEY (driver_id)
    ) WITHOUT ROWID;
    """

  private static let flushes = """
    -- How often other nodes have asked for what is in the memory of the session's node, and what was answered.
    ALTER TABLE rides_sessions ADD COLUMN flush_wanted INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE rides_sessions ADD COLUMN flushed INTEGER NOT NULL DEFAULT 0;
    """

  private static let places = """
    -- reference: few rows, read with every ride
    CREATE TABLE rides_cities (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL,
      time_zone TEXT NOT NULL,
      currency TEXT NOT NULL,
      -- The number of the newest fare table; raising it takes the city's row, so tables are added one at a time.
      table_version INTEGER NOT NULL
    );
    -- reference: few rows, read with every quote
    CREATE TABLE rides_zones (
      id INTEGER PRIMARY KEY,
      city_id INTEGER NOT NULL,
      kind INTEGER NOT NULL,
      name TEXT NOT NULL,
      -- An encoded Zone with the corners only.
      corners BLOB NOT NULL,
      version INTEGER NOT NULL
    );
    CREATE INDEX rides_zones_city ON rides_zones (city_id, id);
    -- distributed by city_id
    CREATE TABLE rides_fare_tables (
      city_id INTEGER NOT NULL,
      version INTEGER NOT NULL,
      category TEXT NOT NULL,
      valid_from INTEGER NOT NULL,
      valid_until INTEGER NOT NULL,
      -- An encoded FareTable.
      body BLOB NOT NULL,
      PRIMARY KEY (city_id, version)
    ) WITHOUT ROWID;
    """

  private static let drivers = """
    -- local: a user is one driver, in whichever city
    CREATE TABLE rides_drivers (
      id INTEGER PRIMARY KEY,
      user_id INTEGER NOT NULL,
      city_id INTEGER NOT NULL,
      display_name TEXT NOT NULL,
      state INTEGER NOT NULL,
      note TEXT NOT NULL
    );
    CREATE UNIQUE INDEX rides_drivers_user ON rides_drivers (user_id);
    -- local: a plate is unique among all vehicles
    CREATE TABLE rides_vehicles (
      id INTEGER PRIMARY KEY,
      owner_id INTEGER NOT NULL,
      -- The driver it is linked to.
      driver_id INTEGER,
      plate TEXT NOT NULL,
      category TEXT NOT NULL,
      seats INTEGER NOT NULL,
      model TEXT NOT NULL,
      color TEXT NOT NULL
    );
    CREATE UNIQUE INDEX rides_vehicles_plate ON rides_vehicles (plate);
    CREATE UNIQUE INDEX rides_vehicles_driver ON rides_vehicles (driver_id) WHERE driver_id IS NOT NULL;
    -- distributed by id
    CREATE TABLE rides_documents (
      id INTEGER PRIMARY KEY,
      driver_id INTEGER NOT NULL,
      kind INTEGER NOT NULL,
      state INTEGER NOT NULL,
      year INTEGER NOT NULL,
      month INTEGER NOT NULL,
      day INTEGER NOT NULL,
      -- The end of that day in the driver's city: not valid from this instant on.
      expires_at INTEGER NOT NULL,
      blob_reference TEXT NOT NULL,
      rejection TEXT NOT NULL
    );
    CREATE INDEX rides_documents_driver ON rides_documents (driver_id, kind, id);
    -- distributed by driver_id
    CREATE TABLE rides_presences (
      driver_id INTEGER PRIMARY KEY,
      city_id INTEGER NOT NULL,
      state INTEGER NOT NULL,
      -- Since when the driver is in this state.
      since INTEGER NOT NULL,
      offer_id INTEGER,
      ride_id INTEGER
    );
    CREATE INDEX rides_presences_online ON rides_presences (city_id, driver_id) WHERE state > 1;
    -- The last accepted position, as of the last checkpoint.
    -- distributed by driver_id
    CREATE TABLE rides_positions (
      driver_id INTEGER PRIMARY KEY,
      sequence INTEGER NOT NULL,
      measured_at INTEGER NOT NULL,
      latitude REAL NOT NULL,
      longitude REAL NOT NULL
    );
    """

  private static let rides = """
    -- distributed by id
    CREATE TABLE rides_quotes (
      id INTEGER PRIMARY KEY,
      user_id INTEGER NOT NULL,
      city_id INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      -- The minute of the city's day when it was quoted.
      start_minute INTEGER NOT NULL,
      -- The ride that was requested by it.
      ride_id INTEGER,
      -- An encoded FareQuote.
      body BLOB NOT NULL
    );
    CREATE INDEX rides_quotes_unused ON rides_quotes (id) WHERE ride_id IS NULL;
    -- local: a rider and a driver have one live ride each, in whichever city
    CREATE TABLE rides_rides (
      id INTEGER PRIMARY KEY,
      city_id INTEGER NOT NULL,
      rider_id INTEGER NOT NULL,
      quote_id INTEGER NOT NULL,
      category TEXT NOT NULL,
      method INTEGER NOT NULL,
      state INTEGER NOT NULL,
      -- 1 while the rider may not have another ride beside it.
      is_live INTEGER NOT NULL,
      version INTEGER NOT NULL,
      epoch INTEGER NOT NULL,
      driver_id INTEGER,
      offer_id INTEGER,
      pin_tries INTEGER NOT NULL,
      requested_at INTEGER NOT NULL,
      search_ends_at INTEGER NOT NULL,
      assigned_at INTEGER,
      pickup_due_at INTEGER,
      arrived_at INTEGER,
      started_at INTEGER,
      ended_at INTEGER,
      -- What the receipt is computed from, beside the fare table: MeterInputs in its canonical form.
      meter BLOB,
      -- An encoded Receipt.
      receipt BLOB,
      total INTEGER,
      received INTEGER NOT NULL,
      cancel_fee INTEGER,
      currency TEXT NOT NULL,
      note TEXT NOT NULL
    );
    CREATE INDEX rides_rides_rider ON rides_rides (rider_id, id);
    CREATE INDEX rides_rides_driver ON rides_rides (driver_id, id) WHERE driver_id IS NOT NULL;
    CREATE UNIQUE INDEX rides_live_rider ON rides_rides (rider_id) WHERE is_live = 1;
    CREATE UNIQUE INDEX rides_live_driver ON rides_rides (driver_id) WHERE state IN (5, 6, 7);
    CREATE INDEX rides_dues ON rides_rides (rider_id) WHERE state = 10;
    CREATE INDEX rides_searching ON rides_rides (city_id, id) WHERE state = 3;
    -- Drivers that a ride is not offered to again.
    -- distributed by ride_id
    CREATE TABLE rides_exclusions (
      ride_id INTEGER NOT NULL,
      driver_id INTEGER NOT NULL,
      PRIMARY KEY (ride_id, driver_id)
    ) WITHOUT ROWID;
    -- local: a ride has one accepted offer, whose number comes from no ride
    CREATE TABLE rides_offers (
      id INTEGER PRIMARY KEY,
      ride_id INTEGER NOT NULL,
      driver_id INTEGER NOT NULL,
      epoch INTEGER NOT NULL,
      -- 1 OPEN, 2 ACCEPTED, 3 DECLINED, 4 EXPIRED, 5 SUPERSEDED
      state INTEGER NOT NULL,
      -- The reason that the driver was given, 0 while OPEN.
      close_reason INTEGER NOT NULL,
      eta_s INTEGER NOT NULL,
      expires_at INTEGER NOT NULL
    );
    CREATE INDEX rides_offers_ride ON rides_offers (ride_id, epoch);
    CREATE UNIQUE INDEX rides_offers_accepted ON rides_offers (ride_id) WHERE state = 2;
    -- Another driver's phone has other sequences; the epoch keeps them apart.
    -- distributed by ride_id
    CREATE TABLE rides_trail (
      ride_id INTEGER NOT NULL,
      epoch INTEGER NOT NULL,
      sequence INTEGER NOT NULL,
      measured_at INTEGER NOT NULL,
      latitude REAL NOT NULL,
      longitude REAL NOT NULL,
      accuracy_m REAL NOT NULL,
      speed_mps REAL,
      PRIMARY KEY (ride_id, epoch, sequence)
    ) WITHOUT ROWID;
    """
}
