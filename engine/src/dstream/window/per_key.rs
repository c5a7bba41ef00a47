//! What a window knows of each key, and how that changes when panes come and go.

/// What a window knows of one key. Every pane has a key once at most.
pub(super) trait PerKey<O>: Send + Sync + 'static {
    /// Undoes what goes.
    const UNDOES: bool;
    /// Starts as the default when the key is in no pane.
    type State: Clone + Default + Send + Sync + 'static;

    /// Does a key stay when its last pane goes?
    fn keys_stay(&self) -> bool;
    /// A pane comes that has the key, with this value.
    fn come(&self, state: &mut Self::State, value: &O, combine: &impl Fn(O, O) -> O);
    /// The oldest pane with the key goes; it had this value. `false`: the key goes with it.
    fn go(&self, state: &mut Self::State, value: &O, combine: &impl Fn(O, O) -> O) -> bool;
    /// All values of the key combined.
    fn total(state: &Self::State) -> &O;
}
