// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";
import {ERC721Upgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC721/ERC721Upgradeable.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {CollectionParameters, Minters} from "./Minters.sol";

/// @title A collection of unique tokens, minted by id or by quantity
/// @notice Ids below 2^128 are chosen by the minter; the ids from 2^128 on are given in order to what is minted by
/// quantity. Signatures are those of Immutable's hybrid preset. Minting asks no receiver (it is not the safe kind),
/// so that one wallet that is a contract cannot stop a batch. A batch is applied whole or not at all; an error that
/// concerns one line names it, counted from 0.
/// @dev Made to be cloned (ERC-1167). A burned id below the threshold can never be minted again.
contract MoneyerERC721 is ERC721Upgradeable, Minters {
    using BitMaps for BitMaps.BitMap;

    /// @notice The ids `tokenIds` for `to`.
    struct MintById {
        address to;
        uint256[] tokenIds;
    }

    /// @notice The next `quantity` ids for `to`.
    struct MintByQuantity {
        address to;
        uint256 quantity;
    }

    uint256 private constant THRESHOLD = 1 << 128;

    uint256 private _mintedByQuantity;
    uint256 private _supply;
    BitMaps.BitMap private _burned;

    /// @notice This id belongs to what is minted by quantity.
    error TokenIdAboveThreshold(uint256 line, uint256 tokenId);

    /// @notice This id has an owner already.
    error TokenAlreadyMinted(uint256 line, uint256 tokenId);

    /// @notice This id was burned.
    error TokenBurned(uint256 line, uint256 tokenId);

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets a clone up. Works once; the factory calls it in the transaction that creates the clone.
    function initialize(CollectionParameters calldata parameters) external initializer {
        __ERC721_init(parameters.name, parameters.symbol);
        __Minters_init(parameters);
    }

    /// @notice Mints the ids of every line to its recipient. Only a minter.
    function mintBatch(MintById[] calldata lines) external onlyRole(MINTER_ROLE) {
        uint256 minted = 0;
        for (uint256 line = 0; line < lines.length; ++line) {
            MintById calldata request = lines[line];
            _requireRecipient(line, request.to);
            for (uint256 i = 0; i < request.tokenIds.length; ++i) {
                _mintId(line, request.to, request.tokenIds[i]);
            }
            minted += request.tokenIds.length;
        }
        _supply += minted;
    }

    /// @notice Mints the next ids to every line's recipient, in the order of the lines. Only a minter.
    function mintBatchByQuantity(MintByQuantity[] calldata lines) external onlyRole(MINTER_ROLE) {
        uint256 first = mintBatchByQuantityNextTokenId();
        uint256 next = first;
        for (uint256 line = 0; line < lines.length; ++line) {
            MintByQuantity calldata request = lines[line];
            _requireRecipient(line, request.to);
            if (request.quantity == 0) revert QuantityZero(line);
            for (uint256 i = 0; i < request.quantity; ++i) {
                _mint(request.to, next++);
            }
        }
        _mintedByQuantity += next - first;
        _supply += next - first;
    }

    /// @notice Burns a token. Only its owner, or whom the owner approved.
    function burn(uint256 tokenId) external {
        _update(address(0), tokenId, _msgSender());
        _supply -= 1;
        if (tokenId < THRESHOLD) _burned.set(tokenId);
    }

    /// @notice How many tokens exist.
    function totalSupply() external view returns (uint256) {
        return _supply;
    }

    /// @notice Where the ids begin that are given by quantity.
    function mintBatchByQuantityThreshold() external pure returns (uint256) {
        return THRESHOLD;
    }

    /// @notice The first id the next mint by quantity gives.
    function mintBatchByQuantityNextTokenId() public view returns (uint256) {
        return THRESHOLD + _mintedByQuantity;
    }

    /// @notice As ERC-165.
    function supportsInterface(
        bytes4 interfaceId
    ) public view override(ERC721Upgradeable, AccessControlUpgradeable) returns (bool) {
        return super.supportsInterface(interfaceId);
    }

    function _mintId(uint256 line, address to, uint256 tokenId) private {
        if (tokenId >= THRESHOLD) revert TokenIdAboveThreshold(line, tokenId);
        if (_burned.get(tokenId)) revert TokenBurned(line, tokenId);
        if (_ownerOf(tokenId) != address(0)) revert TokenAlreadyMinted(line, tokenId);
        _mint(to, tokenId);
    }

    function _baseURI() internal view override returns (string memory) {
        return baseURI();
    }
}
