pub mod intents;
